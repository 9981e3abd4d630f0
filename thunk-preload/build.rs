//! Makes the thunk freestanding: linked against nothing, so that one file loads in glibc and musl processes. It builds
//! nothing itself.

fn main() {
    println!("cargo:rerun-if-changed=link-args.txt");
    for argument in include_str!("link-args.txt").lines() {
        println!("cargo:rustc-cdylib-link-arg={argument}");
    }
}
