//! What a person reads in the editor, in their language: English, or French where the client says
//! so in `initialize` (`locale`).
//!
//! Messages on faults stay English: they name files and commands, and are searched for.

/// A language that the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Words {
    #[default]
    English,
    French,
}

use Words::{English, French};

impl Words {
    /// The language of a locale, as in `fr`, `fr-CA` or `en`; English where it is not known.
    pub(super) fn of(locale: Option<&str>) -> Words {
        let language = locale.and_then(|locale| locale.split(['-', '_', '.']).next());
        match language {
            Some(language) if language.eq_ignore_ascii_case("fr") => French,
            _ => English,
        }
    }

    fn pick(self, english: &'static str, french: &'static str) -> String {
        match self {
            English => english.to_owned(),
            French => french.to_owned(),
        }
    }

    pub(super) fn accept_all(self) -> String {
        self.pick("accept all", "tout accepter")
    }

    pub(super) fn review(self) -> String {
        self.pick("review…", "revoir…")
    }

    /// `tag` with its score.
    pub(super) fn add(self, tag: &str) -> String {
        match self {
            English => format!("Add tag {tag}"),
            French => format!("Ajouter l’étiquette {tag}"),
        }
    }

    pub(super) fn add_many(self, n: usize) -> String {
        match self {
            English => format!("Add {n} tags"),
            French => format!("Ajouter {n} étiquettes"),
        }
    }

    pub(super) fn add_all(self, n: usize) -> String {
        match self {
            English => format!("Add all {n} suggested tags"),
            French => format!("Ajouter les {n} étiquettes proposées"),
        }
    }

    pub(super) fn add_front_matter(self) -> String {
        self.pick(
            "Add front matter with the suggested tags",
            "Ajouter un en-tête avec les étiquettes proposées",
        )
    }

    pub(super) fn never_here(self, tag: &str) -> String {
        match self {
            English => format!("Never suggest {tag} here"),
            French => format!("Ne plus proposer {tag} ici"),
        }
    }

    pub(super) fn replace(self, from: &str, to: &str) -> String {
        match self {
            English => format!("Replace {from} by {to}"),
            French => format!("Remplacer {from} par {to}"),
        }
    }

    /// A tag becomes a label of a set.
    pub(super) fn add_label(self, tag: &str, set: &str) -> String {
        match self {
            English => format!("Add {tag} to the label set {set}"),
            French => format!("Ajouter {tag} au jeu d’étiquettes {set}"),
        }
    }

    /// It has become one, of the set in this file.
    pub(super) fn label_added(self, tag: &str, file: &str) -> String {
        match self {
            English => format!("`{tag}` was added to {file}"),
            French => format!("`{tag}` a été ajoutée à {file}"),
        }
    }

    pub(super) fn record(self) -> String {
        self.pick("Record the verdict", "Enregistrer le verdict")
    }

    /// A question with its three answers: add one, never here, add all.
    pub(super) fn question(self, best: &str, all: &str) -> (String, [&'static str; 3]) {
        match self {
            English => (
                format!("Add the tag `{best}`? Suggested: {all}"),
                ["Add", "Never here", "Add all"],
            ),
            French => (
                format!("Ajouter l’étiquette `{best}` ? Proposées : {all}"),
                ["Ajouter", "Jamais ici", "Tout ajouter"],
            ),
        }
    }

    /// A tag that is in no label set, and the nearest label.
    pub(super) fn unknown(self, tag: &str, nearest: Option<&str>) -> String {
        match (self, nearest) {
            (English, Some(nearest)) => {
                format!("`{tag}` is not in the label set; did you mean `{nearest}`?")
            }
            (English, None) => format!(
                "`{tag}` is not in the label set; add it to the label set, and it will be suggested"
            ),
            (French, Some(nearest)) => {
                format!(
                    "`{tag}` n’est pas dans le jeu d’étiquettes ; vouliez-vous dire `{nearest}` ?"
                )
            }
            (French, None) => format!(
                "`{tag}` n’est pas dans le jeu d’étiquettes ; ajoutez-la au jeu, et elle sera proposée"
            ),
        }
    }

    /// The same under the pointer.
    pub(super) fn not_in_set(self, tag: &str, nearest: Option<&str>) -> String {
        let cure = match (self, nearest) {
            (_, None) => String::new(),
            (English, Some(nearest)) => format!(" Did you mean `{nearest}`?"),
            (French, Some(nearest)) => format!(" Vouliez-vous dire `{nearest}` ?"),
        };
        match self {
            English => format!("**{tag}**\n\nNot in the label set.{cure}"),
            French => format!("**{tag}**\n\nAbsente du jeu d’étiquettes.{cure}"),
        }
    }

    /// A label with its score and threshold, as percentages.
    pub(super) fn scored(self, label: &str, score: &str, threshold: &str) -> String {
        match self {
            English => format!("**{label}** · {score} (from {threshold} on it is suggested)"),
            French => format!("**{label}** · {score} (proposée à partir de {threshold})"),
        }
    }

    pub(super) fn not_scored(self, label: &str) -> String {
        match self {
            English => format!("**{label}** · not scored"),
            French => format!("**{label}** · sans score"),
        }
    }

    pub(super) fn said_by_you(self) -> String {
        self.pick("You said that it fits.", "Vous avez dit qu’elle convient.")
    }

    pub(super) fn said_by_memory(self) -> String {
        self.pick(
            "You said so of notes like this one; the model alone would not.",
            "Vous l’avez dit de notes semblables ; le modèle seul ne le dirait pas.",
        )
    }

    pub(super) fn said_by_model(self, model: &str) -> String {
        match self {
            English => format!("The model finds it too ({model})."),
            French => format!("Le modèle la trouve aussi ({model})."),
        }
    }

    pub(super) fn written_by_you(self) -> String {
        self.pick(
            "You wrote it; the model would not suggest it.",
            "Vous l’avez écrite ; le modèle ne la proposerait pas.",
        )
    }

    pub(super) fn read_with(self, glossary: &str) -> String {
        match self {
            English => format!("Read as: {glossary}."),
            French => format!("Lue comme : {glossary}."),
        }
    }

    pub(super) fn loading(self) -> String {
        self.pick("Loading the tagging model", "Chargement du modèle")
    }

    pub(super) fn tagging_folders(self) -> String {
        self.pick(
            "Tagging watched folders",
            "Étiquetage des dossiers surveillés",
        )
    }

    pub(super) fn of_notes(self, done: usize, all: usize) -> String {
        match self {
            English => format!("{done} of {all} notes"),
            French => format!("{done} notes sur {all}"),
        }
    }

    pub(super) fn notes_rest(self, n: usize) -> String {
        match self {
            English => format!("{n} notes rest; `gliznet watch resume` goes on with them"),
            French => format!("{n} notes attendent ; `gliznet watch resume` les reprend"),
        }
    }

    pub(super) fn learning(self) -> String {
        self.pick(
            "Learning from your corrections",
            "Apprentissage de vos corrections",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_a_language_with_or_without_a_country() {
        for french in ["fr", "fr-FR", "fr_CA.UTF-8", "FR"] {
            assert_eq!(Words::of(Some(french)), French, "{french}");
        }
        for other in [None, Some("en"), Some("de"), Some("frisian"), Some("")] {
            assert_eq!(Words::of(other), English, "{other:?}");
        }
    }

    #[test]
    fn both_languages_name_the_tag() {
        for words in [English, French] {
            for text in [
                words.add("roses"),
                words.never_here("roses"),
                words.replace("rose", "roses"),
                words.add_label("roses", "plants"),
                words.label_added("roses", "plants.toml"),
                words.unknown("rose", Some("roses")),
                words.not_in_set("rose", Some("roses")),
                words.scored("roses", "93 %", "16 %"),
                words.not_scored("roses"),
                words.question("roses", "roses 93 %").0,
            ] {
                assert!(text.contains("roses"), "{text}");
            }
        }
    }
}
