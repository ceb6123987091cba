//! Which open documents are read before the others: those that the client asked about last.
//!
//! An editor that opens three hundred notes at once shows a few of them, and asks about those.
//! Invariant: few documents of one client go ahead at a time, however many it asks about, so that
//! they keep neither other clients nor each other from their turn; no document is read twice.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tower_lsp::ls_types::Uri;

use crate::desk::{DeskError, Rules, Tagged};
use crate::engine::scheduler::Priority;
use crate::engine::worker::WorkerError;
use crate::lsp::documents::Open;
use crate::lsp::session::{Shared, text_of};

/// When to ask again after the queue was full.
const RETRY: Duration = Duration::from_secs(1);
/// So many documents a person sees at a time, in windows side by side.
const AT_ONCE: usize = 4;

/// Who goes ahead in one session.
pub(super) struct Ahead {
    /// What the client asked about last, the latest first.
    asked: watch::Sender<Vec<Uri>>,
    places: Semaphore,
}

impl Default for Ahead {
    fn default() -> Ahead {
        Ahead {
            asked: watch::Sender::new(Vec::new()),
            places: Semaphore::new(AT_ONCE),
        }
    }
}

impl Ahead {
    /// The client asks about a document.
    pub(super) fn ask_about(&self, uri: &Uri) {
        self.asked.send_if_modified(|asked| {
            if asked.first() == Some(uri) {
                return false;
            }
            asked.retain(|other| other != uri);
            asked.insert(0, uri.clone());
            asked.truncate(AT_ONCE);
            true
        });
    }

    /// Waits until a document is one of the few that the client asked about last, and until fewer
    /// than that go ahead. It goes ahead as long as the permit is held.
    async fn turn(&self, uri: &Uri) -> Option<SemaphorePermit<'_>> {
        let mut asked = self.asked.subscribe();
        loop {
            // Neither the channel nor the semaphore is closed while `self` lives.
            asked.wait_for(|asked| asked.contains(uri)).await.ok()?;
            let permit = self.places.acquire().await.ok()?;
            // While it waited for its place, the client may have turned to others.
            if self.asked.borrow().contains(uri) {
                return Some(permit);
            }
        }
    }
}

impl Shared {
    /// What fits a document: in its turn, or before that where the client asks about it. For the
    /// worker the two are one question, which goes where the more urgent one would.
    pub(super) async fn tagged(&self, open: &Open, rules: &Rules) -> Result<Tagged, DeskError> {
        let in_turn = self.tagged_in_time(open, rules, Priority::Bulk);
        let ahead = async {
            let _turn = self.suggestions.ahead.turn(&open.uri).await;
            self.tagged_in_time(open, rules, Priority::Interactive)
                .await
        };
        tokio::select! {
            biased; // Where it has its answer, nobody asks again.
            tagged = in_turn => tagged,
            tagged = ahead => tagged,
        }
    }

    /// Asks again as long as the queue is full.
    async fn tagged_in_time(
        &self,
        open: &Open,
        rules: &Rules,
        priority: Priority,
    ) -> Result<Tagged, DeskError> {
        loop {
            let asked = self.desk.tag(text_of(open), rules.clone(), priority);
            match asked.await {
                Err(DeskError::Worker(WorkerError::Overloaded(_))) => {
                    tokio::time::sleep(RETRY).await;
                }
                answer => return answer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Desk;
    use crate::lsp::tests::{ask, begun, desk};
    use futures::{FutureExt, StreamExt};
    use serde_json::json;
    use std::sync::Arc;

    fn uri(n: usize) -> Uri {
        format!("file:///notes/{n}.md").parse().unwrap()
    }

    #[test]
    fn a_document_goes_ahead_once_the_client_asks_about_it() {
        let ahead = Ahead::default();
        let (of_first, of_second) = (uri(1), uri(2));
        let mut first = Box::pin(ahead.turn(&of_first));
        let mut second = Box::pin(ahead.turn(&of_second));
        assert!((&mut first).now_or_never().is_none());
        ahead.ask_about(&of_second);
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().flatten().is_some());
    }

    #[test]
    fn however_many_are_asked_about_few_go_ahead_and_those_that_were_asked_about_last_come_next() {
        let ahead = Ahead::default();
        let all: Vec<Uri> = (0..12).map(uri).collect();
        all.iter().for_each(|uri| ahead.ask_about(uri));
        let mut first: Vec<_> = all
            .iter()
            .filter_map(|uri| ahead.turn(uri).now_or_never().flatten())
            .collect();
        assert_eq!(first.len(), AT_ONCE);
        // The client turns to others, of which one waits already.
        ahead.ask_about(&all[3]);
        let mut left = Box::pin(ahead.turn(&all[3]));
        assert!((&mut left).now_or_never().is_none(), "no place is free");
        all[4..8].iter().for_each(|uri| ahead.ask_about(uri));
        drop(first.pop());
        assert!((&mut left).now_or_never().is_none(), "nobody looks at it");
        assert!(ahead.turn(&all[7]).now_or_never().flatten().is_some());
    }

    /// How many documents go ahead, and how many wait for their turn.
    async fn waiting(desk: &Desk, wanted: (usize, usize)) -> (usize, usize) {
        let mut waiting = (0, 0);
        for _ in 0..3_000 {
            let status = desk.status();
            waiting = (status.queue, status.background);
            if waiting == wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        waiting
    }

    #[tokio::test]
    async fn what_the_client_asks_about_is_read_before_the_rest_and_no_document_twice() {
        let root = tempfile::tempdir().unwrap();
        let (desk, release) = desk(root.path());
        let (shared, mut service, socket) = begun(Arc::clone(&desk), "Roses.\n").await;
        tokio::spawn(socket.for_each(|_| async {})); // An editor that takes what it is told.
        shared.choice().labels = Some(vec!["garden".to_owned()]);
        let uris: Vec<String> = (0..9).map(|n| format!("file:///notes/{n}.md")).collect();
        for uri in &uris {
            let text = format!("What {uri} tells.\n");
            let item = json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": text });
            let params = json!({ "textDocument": item });
            ask(&mut service, "textDocument/didOpen", None, params).await;
        }
        shared.suggest_all(); // The first was opened before there were labels.
        assert_eq!(waiting(&desk, (0, 10)).await, (0, 10));
        let range = json!({
            "start": { "line": 0, "character": 0 }, "end": { "line": 1, "character": 0 },
        });
        let params = json!({ "textDocument": { "uri": uris[8] }, "range": range });
        let hints = ask(&mut service, "textDocument/inlayHint", Some(2), params).await;
        assert!(hints.is_some_and(|hints| hints.is_ok()));
        assert_eq!(waiting(&desk, (1, 9)).await, (1, 9));
        // Hints of all of them push nobody aside.
        for (uri, id) in uris.iter().zip(3..) {
            let params = json!({ "textDocument": { "uri": uri }, "range": range });
            ask(&mut service, "textDocument/inlayHint", Some(id), params).await;
        }
        let few = (AT_ONCE, 10 - AT_ONCE);
        assert_eq!(waiting(&desk, few).await, few);
        drop(release);
        desk.close();
    }
}
