//! Takes what has expired out of the index.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::Result;

use crate::link::{Link, Question};
use crate::names::Names;
use crate::scripts::Scripts;

/// How often.
const SWEEP: Duration = Duration::from_secs(30);

/// Most ids that one sweep looks at, so that others need not wait long for it.
const SWEPT_AT_ONCE: usize = 500;

/// Sweeps now and then until it is dropped.
pub(crate) async fn run(link: Arc<Link>, names: Arc<Names>, scripts: Arc<Scripts>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        while let Ok(SWEPT_AT_ONCE..) = sweep(&link, &names, &scripts).await {}
    }
}

async fn sweep(link: &Link, names: &Names, scripts: &Scripts) -> Result<usize> {
    let mut sweep = scripts.sweep.prepare_invoke();
    sweep.key(&names.index).key(&names.ends).arg(names.records()).arg(SWEPT_AT_ONCE);
    link.ask(Question::Script(&sweep)).await
}
