//! One call, and wrappers round it.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Context, RawJson, Result, Server, Tool};

/// Runs a call. The innermost one sends it to its server; layers stand round it.
#[async_trait]
pub trait Invoke: Debug + Send + Sync + 'static {
    /// Runs the call and returns the text of the upstream's `result`. May be called again with the
    /// same call (a retry). Dropping the future cancels the call upstream.
    ///
    /// # Errors
    /// Any of [`ErrorKind`](crate::ErrorKind); a tool that failed is a reply, not an error.
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson>;
}

/// A wrapper round every call: metrics, a limit, a retry.
///
/// To write your own: return a struct that holds `inner`, does its part and calls
/// `inner.invoke(context, call).await`.
pub trait Layer: Debug + Send + Sync + 'static {
    /// Wraps `inner`.
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke>;
}

/// A call whose server has been found.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where it goes.
    pub server: Arc<Server>,
    /// The MCP method: `tools/call`.
    pub method: Cow<'static, str>,
    /// Its `params`, an object.
    pub params: RawJson,
    /// The tool, where it is a call of one.
    pub tool: Option<Arc<Tool>>,
}

impl Call {
    /// Whether a second call does no harm: its tool says so, or it only reads, as everything does that is no
    /// call of a tool.
    pub fn is_idempotent(&self) -> bool {
        self.tool.as_ref().is_none_or(|tool| tool.is_idempotent())
    }
}
