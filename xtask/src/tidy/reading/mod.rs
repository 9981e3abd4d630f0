//! The tree as the rules read it: files, code without talk, and the paths that code names. It judges nothing.

pub(super) mod code;
pub(super) mod modules;
pub(super) mod paths;
pub(super) mod tree;
