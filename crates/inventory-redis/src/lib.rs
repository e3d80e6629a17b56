//! Shares what tools there are over Redis, so that a starting gateway knows them at once.
