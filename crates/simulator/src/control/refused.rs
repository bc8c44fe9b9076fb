//! Why a control request is not carried out.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::{aws, azure};

pub(crate) type Answer = Result<Response, Refused>;

/// Why a control request is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Azure(#[from] azure::settings::Invalid),
    #[error(transparent)]
    Aws(#[from] aws::settings::Invalid),
    #[error("{0}")]
    Wrong(String),
    #[error("there is no {0}")]
    Missing(String),
    #[error("{0}")]
    Conflict(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Azure(_) | Self::Aws(_) | Self::Wrong(_) => StatusCode::BAD_REQUEST,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}
