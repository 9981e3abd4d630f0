//! One lane each: its worker, its credits, and what may wait in it. It knows no process and no other lane, and gives nothing out.

pub(super) mod contents;
pub(super) mod lane;
mod looks;
pub(super) mod status;
