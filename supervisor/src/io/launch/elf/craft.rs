//! Builds small ELF files for tests. They have the parts that are looked at and cannot be run.

/// An ELF file in the making.
#[derive(Clone, Debug)]
pub(crate) struct Craft {
    kind: u16,
    class: u8,
    data: u8,
    machine: u16,
    interpreter: bool,
    notes: Vec<Vec<u8>>,
    sections: Vec<String>,
}

impl Craft {
    /// A file of this `e_type` for this machine: 1 object, 2 fixed executable, 3 shared object.
    pub(crate) fn new(kind: u16) -> Self {
        Self {
            kind,
            class: 2,
            data: super::OUR_DATA,
            machine: super::OUR_MACHINE,
            interpreter: false,
            notes: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// A position-independent executable with a dynamic linker.
    pub(crate) fn dynamic() -> Self {
        Self { interpreter: true, ..Self::new(3) }
    }

    pub(crate) fn machine(mut self, class: u8, data: u8, machine: u16) -> Self {
        (self.class, self.data, self.machine) = (class, data, machine);
        self
    }

    pub(crate) fn note(mut self, name: &[u8]) -> Self {
        self.notes.push(name.to_vec());
        self
    }

    pub(crate) fn section(mut self, name: &str) -> Self {
        self.sections.push(name.to_owned());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut notes = Vec::new();
        for name in &self.notes {
            for word in [name.len() as u32, 8, 4] {
                notes.extend(word.to_ne_bytes());
            }
            notes.extend(name);
            notes.resize(notes.len().next_multiple_of(4) + 8, 0);
        }
        let mut names = vec![0];
        let mut name_offsets = vec![0];
        for name in self.sections.iter().map(String::as_str).chain([".shstrtab"]) {
            name_offsets.push(names.len() as u32);
            names.extend(name.bytes().chain([0]));
        }

        let segments = u16::from(self.interpreter) + u16::from(!notes.is_empty());
        let notes_at = 64 + u64::from(segments) * 56;
        let names_at = notes_at + notes.len() as u64;
        let sections_at = names_at + names.len() as u64;
        let section_count = if self.sections.is_empty() { 0 } else { name_offsets.len() as u16 };

        let machine = if self.data == 2 { self.machine.to_be_bytes() } else { self.machine.to_le_bytes() };
        let mut file = vec![0x7f, b'E', b'L', b'F', self.class, self.data, 1];
        file.resize(16, 0);
        file.extend(self.kind.to_ne_bytes());
        file.extend(machine);
        file.extend(1_u32.to_ne_bytes());
        for word in [0, 64, sections_at] {
            file.extend(u64::to_ne_bytes(word));
        }
        file.extend(0_u32.to_ne_bytes());
        for half in [64, 56, segments, 64, section_count, section_count.saturating_sub(1)] {
            file.extend(half.to_ne_bytes());
        }
        if self.interpreter {
            file.extend(segment(3, 0, 0));
        }
        if !notes.is_empty() {
            file.extend(segment(4, notes_at, notes.len() as u64));
        }
        file.extend(notes);
        file.extend(&names);
        for offset in name_offsets.iter().take(usize::from(section_count)) {
            file.extend(offset.to_ne_bytes());
            file.extend(3_u32.to_ne_bytes());
            for word in [0, 0, names_at, names.len() as u64, 0, 0, 0] {
                file.extend(u64::to_ne_bytes(word));
            }
        }
        file
    }
}

fn segment(kind: u32, offset: u64, len: u64) -> Vec<u8> {
    let mut header = Vec::from(kind.to_ne_bytes());
    header.extend(4_u32.to_ne_bytes());
    for word in [offset, 0, 0, len, len, 4] {
        header.extend(word.to_ne_bytes());
    }
    header
}
