//! Crafted files, damaged ones, and a real one.

use super::craft::Craft;
use super::{Elf, Found, Kind, read};
use crate::io::scratch::Scratch;
use proptest::prelude::*;
use std::fs::File;

fn found(bytes: &[u8]) -> Found {
    let scratch = Scratch::new();
    read(&File::open(scratch.file("elf", bytes, 0o644)).unwrap()).unwrap()
}

fn ours(bytes: &[u8]) -> Elf {
    match found(bytes) {
        Found::Ours(elf) => elf,
        other => panic!("{other:?}"),
    }
}

#[test]
fn dynamic_and_static() {
    let elf = ours(&Craft::dynamic().bytes());
    let linker = None;
    assert_eq!(elf, Elf { kind: Kind::SharedObject, has_interpreter: true, linker, is_go: false });
    assert!(!ours(&Craft::new(2).bytes()).has_interpreter);
    assert_eq!(ours(&Craft::new(2).bytes()).kind, Kind::FixedExecutable);
    assert_eq!(ours(&Craft::new(1).bytes()).kind, Kind::Other);
}

#[test]
fn go_by_note_and_by_section() {
    assert!(!ours(&Craft::dynamic().note(b"GNU\0").bytes()).is_go);
    assert!(ours(&Craft::dynamic().note(b"GNU\0").note(b"Go\0\0").bytes()).is_go);
    assert!(!ours(&Craft::dynamic().section(".go.buildinfo.not").bytes()).is_go);
    assert!(ours(&Craft::dynamic().section(".text").section(".go.buildinfo").bytes()).is_go);
}

#[test]
fn other_machines() {
    for (class, data, machine, name) in [
        (1, 1, 3, "32-bit x86"),
        (1, 1, 62, "x32"),
        (1, 1, 40, "32-bit ARM"),
        (2, 2, 22, "64-bit s390"),
        (2, 2, 21, "64-bit big-endian PowerPC"),
        (2, 1, 999, "ELF machine 999"),
    ] {
        assert_eq!(
            found(&Craft::dynamic().machine(class, data, machine).bytes()),
            Found::Foreign(name.into())
        );
    }
}

#[test]
fn this_very_program() {
    let file = File::open("/proc/self/exe").unwrap();
    assert!(matches!(read(&file).unwrap(), Found::Ours(elf) if !elf.is_go && elf.kind == Kind::SharedObject
            && elf.linker.as_ref().is_some_and(|linker| linker.is_file())));
}

#[test]
fn not_elf() {
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", &[0; 4096]] {
        assert_eq!(found(bytes), Found::NotElf);
    }
    let whole = Craft::dynamic().bytes();
    assert_eq!(found(&whole[..40]), Found::NotElf);
    assert_eq!(found(&whole[..80]), Found::NotElf);
}

proptest! {
    #[test]
    fn no_damage_panics(hits in prop::collection::vec((0..1000usize, any::<u8>()), 0..12), cut in 0..1000usize) {
        let mut bytes = Craft::dynamic().note(b"Go\0\0").section(".go.buildinfo").bytes();
        for (at, value) in hits {
            let len = bytes.len();
            bytes[at % len] = value;
        }
        bytes.truncate(cut);
        found(&bytes);
    }
}
