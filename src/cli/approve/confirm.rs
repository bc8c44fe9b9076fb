//! Asks the user to confirm the transition.

use std::io::BufRead;

use payg_api::Decision;

use super::super::Error;

/// How many digits of the hash must be typed at least.
const DIGITS: usize = 8;

/// Succeeds if `given` is the `hash`, or, where nothing is given, if somebody at the `terminal` types its beginning.
pub fn confirm(
    hash: &str,
    decision: Decision,
    given: Option<&str>,
    terminal: Option<impl BufRead>,
) -> Result<(), Error> {
    if let Some(given) = given {
        return if given == hash {
            Ok(())
        } else {
            Err(format!("--confirm {given} is not the current transition, which is {hash}; nothing was done").into())
        };
    }
    let Some(mut terminal) = terminal else {
        return Err(
            format!("there is no terminal to prompt on; to confirm, repeat the command with --confirm {hash}").into()
        );
    };
    let meant = match decision {
        Decision::Approve => "approve",
        Decision::Deny => "deny",
        Decision::Retry => "retry",
    };
    eprint!("To {meant} it, type the first {DIGITS} digits of the transition's hash: ");
    let mut typed = String::new();
    terminal.read_line(&mut typed)?;
    let typed = typed.trim();
    if typed.len() < DIGITS || !hash.starts_with(typed) {
        return Err("the input is not the beginning of the hash; nothing was done".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_hash_confirms() {
        let ask = |given: Option<&str>, typed: Option<&str>| {
            confirm(HASH, Decision::Approve, given, typed.map(str::as_bytes)).map_err(|error| error.to_string())
        };
        assert_eq!(ask(Some(HASH), None), Ok(()));
        for given in ["", &HASH[..8], "fedcba9876543210fedcba9876543210"] {
            let error = ask(Some(given), Some(HASH)).unwrap_err();
            assert!(error.contains(given) && error.contains(HASH), "both are shown: {error}");
        }
        assert!(ask(None, None).unwrap_err().contains(&format!("--confirm {HASH}")));
        assert_eq!(ask(None, Some("01234567\n")), Ok(()));
        assert_eq!(ask(None, Some(&format!(" {HASH}\n"))), Ok(()));
        for typed in ["", "\n", "y\n", "yes\n", "0123456\n", "12345678\n", "0123456789abcdef0123456789abcdef0\n"] {
            assert!(ask(None, Some(typed)).is_err(), "{typed}");
        }
    }
}
