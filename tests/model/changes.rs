//! What people change, and what comes of it.

use crate::actions::{Change, Protocol};
use crate::state::*;

impl Protocol {
    pub(crate) fn change(&self, state: &mut State, subscription: u8, change: Change) -> Option<()> {
        let index = usize::from(subscription);
        state.budget.changes -= 1;
        if state.stale.is_some() {
            state.stale = Some(state.subscriptions);
        }
        let endpoint = state.account.endpoint;
        let mut said = |when| {
            state.ghost.uids += 1;
            Said { uid: state.ghost.uids, when, endpoint, expiry: Expiry::Far }
        };
        if let Some(now) = &mut state.subscriptions[index] {
            let spec = (now.suspend, now.when);
            match change {
                Change::Suspend(suspend) => now.suspend = suspend,
                Change::When(when) => now.when = when,
                Change::Approve(expiry) => state.says[index].approve = Some(Said { expiry, ..said(now.when) }),
                Change::Retry => {
                    let number = state.record?.attempts().count().try_into().unwrap();
                    state.says[index].retry = Some((number, said(now.when)));
                }
                Change::Sees(sees) => now.sees = sees,
                Change::Delete | Change::ApplyAnew | Change::Deny(_) => {}
            }
            if spec != (now.suspend, now.when) {
                now.generation += 1;
            }
        }
        match change {
            Change::Delete => state.subscriptions[index] = None,
            Change::ApplyAnew => {
                state.subscriptions[index] = Some(Subscription {
                    incarnation: 1,
                    generation: 0,
                    when: When::Exhausted,
                    suspend: false,
                    sees: true,
                    status: Status::default(),
                });
            }
            Change::Deny(deny) => state.says[index].deny = deny,
            _ => {}
        }
        Some(())
    }
}
