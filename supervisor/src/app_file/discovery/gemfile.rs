//! Gemfile of Ruby: the server among the gems.

use super::{Found, words};

const FROM: &str = "Gemfile";

/// The app. The file is a program in Ruby, of which only lines such as `gem "puma"` are understood.
pub(super) fn app(text: &str, has_rackup_file: bool) -> Option<Found> {
    let names = text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("gem")?;
        let rest = rest.trim_start_matches([' ', '(']);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    });
    let names: Vec<_> = names.collect();
    let has = |name: &str| names.contains(&name);
    let (command, remark) = if has("puma") {
        (words(["bundle", "exec", "puma"]), "")
    } else if has("falcon") {
        (words(["bundle", "exec", "falcon", "serve", "--count", "1"]), "")
    } else if has("unicorn") {
        (words(["bundle", "exec", "unicorn"]), "")
    } else if has("rails") {
        (words(["bundle", "exec", "rails", "server"]), "")
    } else if has_rackup_file {
        (words(["bundle", "exec", "rackup"]), "")
    } else {
        (words(["bundle", "exec", "ruby", "app.rb"]), "this is a guess: write what starts your program")
    };
    Some(Found { name: "web".to_owned(), command, from: FROM, remark: remark.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_among_the_gems() {
        let found = |text: &str, rackup: bool| app(text, rackup).map(|app| app.command[2..].join(" "));
        for (text, rackup, expected) in [
            ("source 'x'\ngem 'rails', '~> 8'\n  gem \"puma\", \">= 5\"\n", true, "puma"),
            ("gem('falcon')\n", false, "falcon serve --count 1"),
            ("gem 'rails'\n# gem 'puma'\n", false, "rails server"),
            ("gem 'sinatra'\n", true, "rackup"),
            ("gemspec\n", false, "ruby app.rb"),
        ] {
            assert_eq!(found(text, rackup).as_deref(), Some(expected), "{text}");
        }
    }
}
