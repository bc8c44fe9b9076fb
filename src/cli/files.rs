//! Files in a directory that others may have filled: a file need not be what its name says.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::Error;

/// Reads all of a regular file of at most `largest` bytes, which is shown as `place`. Nothing else is waited for: a FIFO has no writer, a device no end.
pub fn read(path: &Path, largest: u64, place: &str) -> Result<Vec<u8>, Error> {
    let fail = |error| format!("{place} cannot be read: {error}");
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(format!(
            "{place} is not a regular file and is not read; pass its content on standard input, with -"
        )
        .into());
    }
    let file = open(OpenOptions::new().read(true), path, OFlags::empty()).map_err(fail)?;
    bytes(file, largest, place)
}

/// Reads all that comes of `source`, which is at `place`, if that is at most `largest` bytes.
pub fn bytes(source: impl Read, largest: u64, place: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let fail = |error| format!("{place} cannot be read: {error}");
    source.take(largest.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > largest {
        return Err(format!("{place} is larger than {} MiB and is not read; split it", largest >> 20).into());
    }
    Ok(bytes)
}

/// Writes a file, over the one that is there. A link that is there is not followed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let place = path.display();
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(format!("{place} exists and is a link or not a regular file; delete it first").into());
    }
    let mut create = OpenOptions::new();
    let file = open(create.write(true).create(true).truncate(true), path, OFlags::NOFOLLOW);
    let written = file.and_then(|mut file| file.write_all(bytes));
    Ok(written.map_err(|error| format!("{place} cannot be written: {error}"))?)
}

/// Writes a new file. Returns false if there is something by its name already, which stays as it is.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let fail = |error| format!("{} cannot be written: {error}", path.display());
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => Ok(file.write_all(bytes).map(|()| true).map_err(fail)?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(fail(error).into()),
    }
}

/// Opens what may have become something else since it was observed, without waiting for anybody.
fn open(options: &mut OpenOptions, path: &Path, flags: OFlags) -> std::io::Result<fs::File> {
    options.custom_flags((flags | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_only_whole() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("short"), "short").unwrap();
        assert_eq!(read(&at("short"), 5, "x").unwrap(), b"short");
        let refusal = |path: &Path| read(path, 4, "x").unwrap_err().to_string();
        assert!(refusal(&at("short")).contains("is larger than"), "{}", refusal(&at("short")));
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for path in [at("fifo"), at("socket"), dir.path().to_owned(), "/dev/zero".into()] {
            assert!(refusal(&path).contains("is not a regular file"), "{}", refusal(&path));
        }
        assert!(bytes(std::io::repeat(0), 1 << 20, "x").unwrap_err().to_string().contains("larger than 1 MiB"));
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("there"), "there, and longer").unwrap();
        write(&at("there"), b"new").unwrap();
        assert_eq!(fs::read_to_string(at("there")).unwrap(), "new");
        symlink(at("there"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        for name in ["link", "dangling", "fifo"] {
            let refusal = write(&at(name), b"through").unwrap_err().to_string();
            assert!(refusal.contains(name) && refusal.contains("delete it first"), "{refusal}");
        }
        assert_eq!(fs::read_to_string(at("there")).unwrap(), "new");
        assert!(!at("nowhere").exists());
    }

    #[test]
    fn files_replaced_by_links_or_fifos_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        symlink("/dev/null", at("link")).unwrap();
        open(OpenOptions::new().write(true), &at("link"), OFlags::NOFOLLOW).unwrap_err();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let fifo = at("fifo");
        std::thread::spawn(move || {
            let written = open(OpenOptions::new().write(true), &fifo, OFlags::empty()).is_ok();
            tell.send((written, open(OpenOptions::new().read(true), &fifo, OFlags::empty()).is_ok()))
        });
        assert_eq!(told.recv_timeout(std::time::Duration::from_secs(5)), Ok((false, true)));
    }
}
