//! The body of an answer: bytes, or the events of a watch.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::watch::Watch;

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// A whole answer; empty once it was read.
    Whole(Bytes),
    /// The events of a watch, for as long as it is open.
    Watch(Box<Watch>),
}

impl Body {
    /// The whole answer, unless it is a watch.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Watch(_) => None,
        }
    }

    /// The watch, if it is one.
    pub fn into_watch(self) -> Option<Watch> {
        match self {
            Self::Whole(_) => None,
            Self::Watch(watch) => Some(*watch),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Watch(watch) => {
                watch.poll_event(context).map(|event| event.map(|event| Ok(Frame::data(event.line()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Watch(_) => SizeHint::default(),
        }
    }
}
