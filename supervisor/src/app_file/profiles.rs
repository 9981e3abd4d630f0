//! What holds for each app: the file's defaults, then the profile's, then what the file says of the app, then what the profile says of it.
//! The later beats the earlier, key by key and variable by variable.

use super::Wanted;
use super::app::{App, AppFile};
use super::document::layer::{COMMAND, Layer};
use super::document::{Document, Sheet, Table};
use super::fault::Fault;
use super::options::Options;
use super::order;
use crate::api::Variables;
use crate::spelling::nearest;

/// The apps of the file with the profile that is wanted, in the order in which they start.
pub(super) fn choose(document: Document, wanted: Wanted<'_>, faults: &mut Vec<Fault>) -> AppFile {
    let Document { base, profiles, secrets } = document;
    let none = Sheet::default();
    let profile = match wanted.profile {
        None => &none,
        Some(name) => profiles.iter().find(|(other, _)| other == name).map_or_else(
            || {
                faults.push(no_profile(name, &profiles));
                &none
            },
            |(_, sheet)| sheet,
        ),
    };
    let own = profile.apps.iter().filter(|table| base.apps.iter().all(|other| other.name != table.name));
    let mut apps = Vec::new();
    for table in base.apps.iter().chain(own) {
        let mut layer = base.defaults.clone();
        layer.lay(&profile.defaults, wanted.options);
        let of = |sheet: &'_ Sheet| {
            sheet.apps.iter().find(|other| other.name == table.name).map(|t| t.layer.clone())
        };
        for said in [of(&base), of(profile)].into_iter().flatten() {
            layer.lay(&said, wanted.options);
        }
        match app(table, layer, wanted) {
            Ok(app) => apps.push(app),
            Err(fault) => faults.push(fault),
        }
    }
    if base.apps.is_empty() && profile.apps.is_empty() {
        let advice = "write [app.NAME] and below it command = [\"node\", \"server.js\"]";
        faults.push(Fault::new(0..0, "there is no app in this file", advice));
    }
    let known: Vec<_> = base.apps.iter().chain(&profile.apps).map(|table| table.name.clone()).collect();
    let apps = order::sorted(apps, &known, faults);
    AppFile { apps, secrets }
}

fn no_profile(name: &str, profiles: &[(String, Sheet)]) -> Fault {
    let names: Vec<_> = profiles.iter().map(|(name, _)| name.as_str()).collect();
    let advice = match (nearest(name, names.iter().copied()), names.is_empty()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, true) => {
            format!("there are none; write [profile.{name}.app.NAME] or [profile.{name}.defaults]")
        }
        (None, false) => format!("there are {}", names.join(", ")),
    };
    Fault::new(0..0, format!("there is no profile {name:?}"), advice)
}

impl Layer {
    /// What another says beats what this one does, and takes the place of what does not go with it: a list of ids that of a number of
    /// workers.
    fn lay(&mut self, upper: &Self, options: &Options) {
        for key in upper.values.keys() {
            self.values.retain(|other, _| !options.exclude(key, other));
        }
        self.values.extend(upper.values.clone());
        self.env.extend(upper.env.clone());
        self.command = upper.command.clone().or(self.command.take());
        self.after = upper.after.clone().or(self.after.take());
        self.lacks.extend(upper.lacks.clone());
    }
}

fn app(table: &Table, layer: Layer, wanted: Wanted<'_>) -> Result<App, Fault> {
    let lacks = layer.lacks;
    // Where it is at fault that is told already, and the rest of the app is looked at all the same.
    let unknown = lacks.contains(COMMAND).then(|| (vec![table.name.clone()], table.span.clone()));
    let Some((command, command_span)) = layer.command.or(unknown) else {
        let what = format!("the app {} has no command", table.name);
        return Err(Fault::new(
            table.span.clone(),
            what,
            "write below it command = [\"node\", \"server.js\"]",
        ));
    };
    Ok(App {
        name: table.name.clone(),
        span: table.span.clone(),
        command,
        command_span,
        folder: wanted.folder.to_owned(),
        values: layer.values,
        env: Variables(layer.env.into_iter().collect()),
        after: layer.after.unwrap_or_default(),
        lacks,
    })
}
