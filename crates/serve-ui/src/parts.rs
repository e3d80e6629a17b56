//! What several panels are made of.

use std::fmt::Display;

use gateway_core::ServerState;
use maud::{Markup, html};

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Quiet,
    Warning,
    Bad,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Quiet => "quiet",
            Self::Warning => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A word with a coloured mark.
pub(crate) fn badge(tone: Tone, word: impl Display) -> Markup {
    html! { span class=(format!("badge {}", tone.class())) { (word) } }
}

/// A server's state.
pub(crate) fn state(state: ServerState) -> Markup {
    let (tone, word) = match state {
        ServerState::Ready => (Tone::Good, "ready"),
        ServerState::Idle => (Tone::Quiet, "idle"),
        ServerState::Disabled => (Tone::Quiet, "disabled"),
        ServerState::Connecting => (Tone::Warning, "connecting"),
        ServerState::Degraded => (Tone::Warning, "degraded"),
        ServerState::BackingOff => (Tone::Bad, "backing off"),
        ServerState::Failed => (Tone::Bad, "failed"),
    };
    badge(tone, word)
}

/// What stands where there is nothing yet.
pub(crate) fn empty(title: &str, hint: &Markup) -> Markup {
    html! { div.empty { p.headline { (title) } p { (hint) } } }
}

/// One page of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) page: usize,
    size: usize,
    total: usize,
}

impl Pages {
    /// The page `wanted`, the first is 0; the last one where there are not so many.
    pub(crate) fn new(wanted: usize, size: usize, total: usize) -> Self {
        Self { page: wanted.min(total.saturating_sub(1) / size), size, total }
    }

    /// The items that it shows.
    pub(crate) fn of<'a, T>(&self, items: &'a [T]) -> &'a [T] {
        let from = (self.page * self.size).min(items.len());
        &items[from..(from + self.size).min(items.len())]
    }

    /// Where one is, and buttons to the pages beside it.
    pub(crate) fn bar(&self) -> Markup {
        let last = self.total.saturating_sub(1) / self.size;
        if last == 0 {
            return html! {};
        }
        let from = self.page * self.size;
        html! {
            nav.pages aria-label="Pages" {
                button.small type="button" data-page=(self.page.saturating_sub(1)) disabled[self.page == 0] { "Previous" }
                span { (from + 1) "–" ((from + self.size).min(self.total)) " of " (self.total) }
                button.small type="button" data-page=(self.page + 1) disabled[self.page == last] { "Next" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_never_lead_nowhere() {
        let items: Vec<usize> = (0..101).collect();
        let check = |wanted: usize, size: usize, expected: (usize, usize, usize)| {
            let pages = Pages::new(wanted, size, items.len());
            let shown = pages.of(&items);
            assert_eq!((pages.page, shown[0], shown.len()), expected);
        };
        check(0, 50, (0, 0, 50));
        check(2, 50, (2, 100, 1));
        check(usize::MAX, 50, (2, 100, 1));
        let none = Pages::new(3, 50, 0);
        assert_eq!((none.page, none.of::<u8>(&[]).len(), none.bar().into_string().as_str()), (0, 0, ""));
    }
}
