//! The report at the end: a table, the bound, and all details of each account that went wrong.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::verdict::{History, Violation};

/// What was done to the operators and to their surroundings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    pub(crate) kills: usize,
    /// Those that met the process that held the lease.
    pub(crate) leaders: usize,
    /// Those after which an attempt was left without an outcome, before its request had reached the provider, or after.
    pub(crate) before_the_request: usize,
    pub(crate) after_the_request: usize,
    pub(crate) pauses: usize,
    pub(crate) long_pauses: usize,
    /// Leases that were left to expire.
    pub(crate) expired: usize,
    pub(crate) api_server_restarts: usize,
    /// Processes that ended by themselves because they had lost the lease.
    pub(crate) lost_the_lease: usize,
    /// Processes that ended by themselves and should not have: what they said last.
    pub(crate) crashes: Vec<String>,
    pub(crate) faults: BTreeMap<String, usize>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) done: Done,
    pub(crate) histories: Vec<History>,
}

impl Report {
    pub(crate) fn window_kills(&self) -> usize {
        self.done.before_the_request + self.done.after_the_request
    }

    /// What went wrong, with its account.
    pub(crate) fn violations(&self) -> Vec<(&History, Vec<Violation>)> {
        let judged = self.histories.iter().map(|history| (history, history.violations()));
        judged.filter(|(_, violations)| !violations.is_empty()).collect()
    }

    fn rows(&self) -> Vec<(&'static str, usize)> {
        let (done, all) = (&self.done, &self.histories);
        let count = |is: &dyn Fn(&&History) -> bool| all.iter().filter(is).count();
        let wrong = |violation| count(&|history| history.violations().contains(&violation));
        let attempts = |history: &History| history.record.as_ref().map_or(0, |record| record.attempts.len());
        let mut rows = vec![
            ("kills (SIGKILL)", done.kills),
            ("  of the process that held the lease", done.leaders),
            ("  between intent and request", done.before_the_request),
            ("  between request and outcome", done.after_the_request),
            ("pauses (SIGSTOP, SIGCONT)", done.pauses),
            ("  longer than lease and window", done.long_pauses),
            ("leases left to expire", done.expired),
            ("leases lost", done.lost_the_lease),
            ("restarts of kube-apiserver", done.api_server_restarts),
            ("simulator faults", done.faults.values().sum()),
            ("accounts", all.len()),
            ("  not to be upgraded any more", count(&|history| history.unwanted_since.is_some())),
            ("upgrades applied", all.iter().map(|history| history.applied.len()).sum()),
            ("upgrade requests", all.iter().map(|history| history.requests.len()).sum()),
            ("records with more than one attempt", count(&|history| attempts(history) > 1)),
            (
                "unresolved, wanted: a person is asked",
                count(&|history| history.is_unresolved() && history.unwanted_since.is_none()),
            ),
            (
                "unresolved, not wanted any more",
                count(&|history| history.is_unresolved() && history.unwanted_since.is_some()),
            ),
        ];
        rows.push(("duplicates", wrong(Violation::Duplicate)));
        rows.push(("asked again after it was applied", wrong(Violation::AskedAgain)));
        rows.push(("asked under another key", wrong(Violation::OtherKey)));
        rows.push(("sent twice", wrong(Violation::SentTwice)));
        rows.push(("unrecorded", wrong(Violation::Unrecorded)));
        rows.push(("asked again too soon", wrong(Violation::TooSoon)));
        rows.push(("sent too late", wrong(Violation::TooLate)));
        rows.push(("unallowed", wrong(Violation::Unallowed)));
        rows.push(("confirmed and not upgraded", wrong(Violation::FalselyConfirmed)));
        rows.push(("lost", wrong(Violation::Lost)));
        rows.push(("stuck", wrong(Violation::Stuck)));
        rows.push(("unresolved without need", wrong(Violation::NeedlesslyUnresolved)));
        rows.push(("crashes", done.crashes.len()));
        rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nseed {}, {} s", self.seed, self.seconds)?;
        for (what, count) in self.rows() {
            writeln!(f, "{what:<40}{count:>8}")?;
        }
        let faults = self.done.faults.iter().fold(String::new(), |mut text, (kind, count)| {
            let _ = write!(text, " {kind} {count}");
            text
        });
        writeln!(f, "faults by kind:{faults}")?;
        if self.violations().is_empty() {
            for (what, n) in [("kills", self.done.kills), ("kills between intent and outcome", self.window_kills())] {
                writeln!(f, "0 violations in {n} {what}: below {:.2e} per kill with 95 % confidence", bound(n))?;
            }
        }
        Ok(())
    }
}

/// The upper bound of the 95 % confidence interval (Clopper and Pearson, one-sided) of a probability of which nothing was
/// seen in `n` trials: about 3/n.
pub(crate) fn bound(n: usize) -> f64 {
    let n = u32::try_from(n).map_or(f64::INFINITY, f64::from);
    if n == 0.0 { 1.0 } else { 1.0 - 0.05_f64.powf(1.0 / n) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_bound_is_the_rule_of_three() {
        assert!((super::bound(1) - 0.95).abs() < 1e-9);
        assert!((super::bound(2000) - 3.0 / 2000.0).abs() < 5e-6);
        assert!((super::bound(0) - 1.0).abs() < 1e-9);
    }
}
