//! What can go wrong at an effect.

use std::fmt;
use std::time::Duration;

use super::effect::{Effect, Side};

/// What goes wrong, or happens, at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Fault {
    /// The process dies before it.
    CrashBefore,
    /// The process dies when it is done, before it learns of that.
    CrashAfter,
    /// There is no connection.
    Unsent,
    /// The request is lost, and no answer comes.
    Lost,
    /// The connection breaks off before the request arrives.
    Cut,
    /// Done, and no answer comes.
    DoneSilent,
    /// Done, and the connection breaks off.
    DoneCut,
    /// Done, and the answer is this status of a gateway.
    DoneStatus(u16),
    /// Not done; the answer is this status.
    Status(u16),
    /// Done so many seconds later; no answer comes.
    Late(u16),
    /// Done, and the answer is no JSON.
    Garbled,
    /// Done, and the answer has no end.
    Huge,
    /// Not done; the answer leads elsewhere.
    Redirect,
    /// Done twice.
    Twice,
    /// The answer is as it was before the last write, or two minutes ago.
    Stale,
    /// The answer is as it was when the run began.
    Old,
    /// The process is stopped for so many seconds right before it.
    Pause(u16),
    /// Somebody does something right before it.
    World(Happening),
}

/// What somebody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Happening {
    /// Another replica begins to believe that it leads.
    SecondLeader,
    /// The Subscription is deleted, and created again under its name.
    Recreated,
    /// The Subscription is deleted.
    Deleted,
    /// Somebody else claims the account.
    SecondClaimant,
    /// The Subscription's status is lost, as by a restored backup.
    StatusWiped,
    /// `when: Never`.
    Never,
    /// `suspend: true`.
    Suspended,
    /// A person says Deny.
    Denied,
    /// The cloud takes another secret from now on, and the Secret has it a little later.
    Rotated,
    /// A person upgrades the account in the portal.
    UpgradedByPerson,
    /// The account gets new benefits.
    ToppedUp,
    /// All that people have said is deleted, and kept by somebody's finalizer.
    TakenBack,
    /// The BillingProvider is deleted, and kept by somebody's finalizer.
    ProviderEnds,
    /// Approvals are no longer checked: the binding of their policy is deleted.
    Untrusted,
    /// The namespace is being deleted, and of what was in it, this is gone.
    NamespaceEnds(Gone),
}

/// The kinds of which nothing is left in a namespace that is being deleted. Its contents go in any order, so any of them may
/// be gone first; two such happenings, one after the other, are an order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Gone(pub(super) &'static [&'static str]);

impl Gone {
    const ALL: [Self; 8] = [
        Self(&[]),
        Self(&["UpgradeApproval"]),
        Self(&["Subscription"]),
        Self(&["BillingProvider"]),
        Self(&["UpgradeApproval", "Subscription"]),
        Self(&["UpgradeApproval", "BillingProvider"]),
        Self(&["Subscription", "BillingProvider"]),
        Self(&["UpgradeApproval", "Subscription", "BillingProvider"]),
    ];
}

/// Without blanks, to be named in `PLAN`.
impl fmt::Debug for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("+"))
    }
}

impl Happening {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::ONCE.into_iter().chain(Gone::ALL.map(Self::NamespaceEnds))
    }

    const ONCE: [Self; 14] = [
        Self::SecondLeader,
        Self::Recreated,
        Self::Deleted,
        Self::SecondClaimant,
        Self::StatusWiped,
        Self::Never,
        Self::Suspended,
        Self::Denied,
        Self::Rotated,
        Self::UpgradedByPerson,
        Self::ToppedUp,
        Self::TakenBack,
        Self::ProviderEnds,
        Self::Untrusted,
    ];

    /// Whether it matters if this happens before or after `effect`. Where it does not, it is let happen before the next
    /// effect where it does.
    fn concerns(self, effect: &Effect) -> bool {
        let of = |kind: &str| effect.what.contains(kind);
        let cloud = matches!(effect.side, Side::CloudRead | Side::Upgrade);
        match self {
            Self::SecondLeader => matches!(effect.side, Side::ApiWrite | Side::Upgrade) || of("/upgraderecords/"),
            Self::Recreated
            | Self::Deleted
            | Self::SecondClaimant
            | Self::StatusWiped
            | Self::Never
            | Self::Suspended => !cloud && of("v1alpha1") && of("/subscriptions"),
            Self::Denied | Self::TakenBack => of("v1alpha1") && of("/upgradeapprovals"),
            Self::ProviderEnds => effect.side == Side::ApiRead && of("/billingproviders"),
            Self::Untrusted => effect.what.ends_with(FIRST_POLICY),
            // Where what goes, or the mark on the namespace, is read.
            Self::NamespaceEnds(_) => {
                let is_of_namespace =
                    ["/subscriptions", "/upgradeapprovals", "/billingproviders"].iter().any(|kind| of(kind));
                effect.side == Side::ApiRead && (is_of_namespace || effect.what.ends_with(NAMESPACE))
            }
            Self::Rotated => cloud || of("/secrets/"),
            Self::UpgradedByPerson | Self::ToppedUp => cloud && !of("/token"),
        }
    }
}

/// Later than the timeout of a request.
const LATE: u16 = 15;
/// Later than an attempt is taken for settled, and the next one follows.
const VERY_LATE: u16 = 200;
/// Longer than an attempt may be sent after its record was written.
const LONG: u16 = 45;

/// The namespace of the first Subscription.
const NAMESPACE: &str = "/api/v1/namespaces/team-a";

/// The binding that is read first.
const FIRST_POLICY: &str = "bindings/upgradeapprovals.payg-operator.io";

impl Fault {
    /// For how long it goes on.
    pub(super) fn lasts(self) -> Duration {
        match self {
            Self::Late(seconds) | Self::Pause(seconds) => Duration::from_secs(seconds.into()),
            _ => Duration::ZERO,
        }
    }

    /// Everything that can go wrong anywhere.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let sides = [Side::ApiRead, Side::ApiWatch, Side::ApiWrite, Side::CloudRead, Side::Upgrade, Side::Notice];
        sides.into_iter().flat_map(Self::of).copied().chain(Happening::all().map(Self::World))
    }

    /// Everything that can go wrong at `effect`, or happen right before it.
    pub(super) fn at(effect: &Effect) -> Vec<Self> {
        // The five policies and their bindings are read one like the other: the first stands for all.
        if effect.what.contains("/validatingadmissionpolic") && !effect.what.ends_with(FIRST_POLICY) {
            return Vec::new();
        }
        let happenings = Happening::all().filter(|happening| happening.concerns(effect)).map(Self::World);
        Self::of(effect.side).iter().copied().chain(happenings).collect()
    }

    /// Everything that can go wrong at an effect of `side`. A crash around a read is left out: it leaves what one after the
    /// write before it, or before the write after it, leaves.
    const fn of(side: Side) -> &'static [Self] {
        use Fault::{
            CrashAfter, CrashBefore, Cut, DoneCut, DoneSilent, DoneStatus, Garbled, Huge, Late, Lost, Old, Pause,
            Redirect, Stale, Status, Twice, Unsent,
        };
        match side {
            Side::ApiRead => &[Unsent, Lost, Status(403), Status(429), Status(500), Garbled, Stale, Old],
            Side::ApiWatch => &[Unsent, Status(410)],
            Side::ApiWrite => &[
                CrashBefore,
                CrashAfter,
                Unsent,
                Lost,
                DoneSilent,
                DoneCut,
                DoneStatus(504),
                Status(403),
                Status(409),
                Status(429),
                Status(500),
                Late(LATE),
                Late(VERY_LATE),
                Garbled,
                Pause(LONG),
            ],
            Side::CloudRead => {
                &[Unsent, Lost, Cut, Status(401), Status(403), Status(429), Status(503), Garbled, Huge, Redirect, Stale]
            }
            Side::Notice => &[CrashBefore, CrashAfter, Unsent, Lost, DoneSilent, DoneCut, Status(503)],
            Side::Upgrade => &[
                CrashBefore,
                CrashAfter,
                Unsent,
                Lost,
                Cut,
                DoneSilent,
                DoneCut,
                DoneStatus(502),
                DoneStatus(504),
                Status(400),
                Status(403),
                Status(409),
                Status(429),
                Status(500),
                Status(503),
                Late(LATE),
                Late(VERY_LATE),
                Garbled,
                Huge,
                Redirect,
                Twice,
                Pause(LONG),
            ],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World(happening) => write!(f, "{happening:?}"),
            fault => write!(f, "{fault:?}"),
        }
    }
}
