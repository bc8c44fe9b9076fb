//! A bearer token in a file, which somebody else writes anew before it ends: a kubelet, or a helper of a kubeconfig's. kube's
//! own reader takes the newline at the end for a part of it.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Request;
use http::header::{AUTHORIZATION, HeaderValue};

/// How old a reading may be, as in client-go.
const FRESH: Duration = Duration::from_mins(1);

/// The last reading of the file, for all requests.
#[derive(Clone)]
pub struct TokenFile(Arc<(PathBuf, Mutex<(HeaderValue, Instant)>)>);

impl TokenFile {
    /// Reads it for the first time; fails with what is wrong with it.
    pub fn new(path: PathBuf) -> Result<Self, String> {
        let header = read(&path)?;
        Ok(Self(Arc::new((path, Mutex::new((header, Instant::now()))))))
    }

    /// `request` with the token. Where the file cannot be read any more, the last one is used.
    pub fn sign<B>(&self, mut request: Request<B>) -> Request<B> {
        let (path, last) = &*self.0;
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.1.elapsed() >= FRESH {
            let header = read(path).unwrap_or_else(|_| last.0.clone());
            *last = (header, Instant::now());
        }
        request.headers_mut().insert(AUTHORIZATION, last.0.clone());
        request
    }
}

fn read(path: &PathBuf) -> Result<HeaderValue, String> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("the token file {shown} cannot be read: {error}"))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(format!("the token file {shown} is empty"));
    }
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|_| format!("the token file {shown} has more in it than a token"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_end_in_a_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for written in ["t0ken", "t0ken\n", "t0ken\r\n", "  t0ken \n\n"] {
            fs::write(file.path(), written).unwrap();
            let signed = TokenFile::new(file.path().to_owned()).unwrap().sign(Request::new(()));
            assert_eq!(signed.headers()[AUTHORIZATION], "Bearer t0ken", "{written:?}");
        }
        for wrong in ["", "\n", "s3cr3t\nvalue"] {
            fs::write(file.path(), wrong).unwrap();
            let problem = TokenFile::new(file.path().to_owned()).err().unwrap();
            assert!(problem.contains("the token file") && !problem.contains("s3cr3t"), "{problem}");
        }
    }
}
