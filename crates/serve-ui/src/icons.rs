//! The signs of the page, drawn with lines. They say nothing that the words beside them do not.

use maud::{Markup, html};

/// What a sign stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Icon {
    Overview,
    Servers,
    Tools,
    Sessions,
    Log,
    Usage,
    Theme,
    Key,
    Close,
    Plus,
    Search,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Overview => "M3 12h4l3-8 4 16 3-8h4",
            Self::Servers => "M4 4h16v6H4zM4 14h16v6H4zM8 7h.01M8 17h.01",
            Self::Tools => "M14.5 6.5a4 4 0 0 0-5 5L4 17l3 3 5.500-5.500a4 4 0 0 0 5-5L15 12l-3-3z",
            Self::Sessions => {
                "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20a6.500 6.500 0 0 1 13 0M16 4.500a3.500 3.500 0 0 1 0 6.500M18 14.500a6.500 6.500 0 0 1 3.500 5.500"
            }
            Self::Log => "M5 6h.01M5 12h.01M5 18h.01M9 6h11M9 12h11M9 18h11",
            Self::Usage => "M4 20V10M10 20V4M16 20v-7M21 20H3",
            Self::Theme => "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
            Self::Key => "M8 15a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11h9M18 11v4M21 11v3",
            Self::Close => "M6 6l12 12M18 6L6 18",
            Self::Plus => "M12 5v14M5 12h14",
            Self::Search => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM21 21l-5-5",
        }
    }

    /// The drawing.
    pub(crate) fn draw(self) -> Markup {
        html! {
            svg.icon viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.75"
                stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false" {
                path d=(self.path()) {}
            }
        }
    }
}
