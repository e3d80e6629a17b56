//! A tool → its texts, each with the field it stands in.

use gateway_core::Tool;

use crate::Field;
use crate::schema;

/// How much of one text is read, in bytes. Descriptions of a book's length exist; their first pages say what
/// a tool is for.
const MAX_TEXT: usize = 16 * 1024;

/// Hands each text of `tool` to `emit`. What all tools of a server share (its name, what it says of itself) is
/// not among them.
pub(crate) fn each_text(tool: &Tool, emit: &mut dyn FnMut(Field, &str)) {
    let mut emit = |field, text: &str| emit(field, bounded(text, MAX_TEXT));
    emit(Field::Name, tool.name());
    emit(Field::Title, tool.title().unwrap_or_default());
    emit(Field::Description, tool.description());
    schema::each_text(tool.input_schema(), &mut emit);
}

/// The first `most` bytes of `text`, or up to three less, so that no character is cut.
pub(crate) fn bounded(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
