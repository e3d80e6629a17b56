//! What a model may call.

use serde_json::Value;

/// A function as a model sees it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// What it does, and when to call it.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// A model's wish to call a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What the result is to be sent back under.
    pub id: String,
    /// The function's name, as the model wrote it.
    pub name: String,
    /// The arguments. `null` where the model wrote no JSON: whoever takes them apart says what it misses.
    pub arguments: Value,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    /// The call's id.
    pub id: String,
    /// What the function returned, or why it failed.
    pub outcome: Result<String, String>,
}

/// Functions that a program offers to a model.
#[expect(async_fn_in_trait, reason = "it is called where it was made, never across threads")]
pub trait Functions {
    /// What there is.
    fn declarations(&self) -> Vec<Function>;

    /// Runs one. The error is for the model to read, so that it can do better.
    async fn call(&mut self, call: &Call) -> Result<String, String>;
}
