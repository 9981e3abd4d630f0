//! Workers, other users and strangers that mean harm, by any socket that they can reach.

/// Floods, garbage and claims on the request socket.
mod abuse;
/// Workers and strangers who mean harm by the request socket and the lanes.
mod attack;
/// Clients of the control socket that do not come to the point.
mod attack_control;
/// Other users of the machine, who send, say and take what is not theirs.
mod outsiders;
/// A worker that harms the socket which all share.
mod sabotage;
