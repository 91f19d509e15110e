//! Inserts the seeds of a new database: FreeSewing's adult model sizes as published curated sets 1 to 20, because many
//! clients read `/curated-sets/1.json`.

use bespoke_core::Timestamp;
use bespoke_core::entity::curated_set::CuratedSetContent;
use bespoke_core::entity::texts::{Texts, Translated};
use bespoke_core::measurement::{MODEL_SETS, Measurements};

use super::curated_sets;
use crate::connection::Db;
use crate::error::Result;

/// The creation time of the seeds, 2026-01-01T00:00:00Z, is the same in all databases, so that a changed seed can be
/// recognised.
const SEEDED_AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Inserts the seeds into a new database.
pub(crate) fn plant(db: &Db<'_>) -> Result<()> {
    for content in models() {
        curated_sets::insert(db, db.vault.random().uuid(), &content, SEEDED_AT)?;
    }
    Ok(())
}

/// Deletes unchanged seeds. Their ids may be assigned again.
pub(crate) fn clear(db: &Db<'_>) -> Result<()> {
    let count = models().len() as i64;
    db.run(
        "DELETE FROM curated_sets WHERE id BETWEEN 1 AND ?1 AND created_at = ?2 AND updated_at = ?2",
        (count, SEEDED_AT.as_millis()),
    )?;
    // Seeds have no images, but curated sets that get their ids may have some.
    db.run(
        "DELETE FROM leftovers WHERE id > 0 AND kind = 'curated set' AND record BETWEEN 1 AND ?1",
        [count],
    )?;
    Ok(())
}

fn models() -> Vec<CuratedSetContent> {
    MODEL_SETS
        .iter()
        .map(|(name, measies)| content(name, measies.clone()))
        .collect()
}

/// Returns the set of a model whose name ends in its size, for example `cisFemaleAdult28`.
fn content(name: &str, measies: Measurements) -> CuratedSetContent {
    let female = name.contains("Female");
    let size = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let names = if female {
        Translated {
            de: format!("Frau, Größe {size}"),
            en: format!("Woman, size {size}"),
            es: format!("Mujer, talla {size}"),
            fr: format!("Femme, taille {size}"),
            nl: format!("Vrouw, maat {size}"),
            uk: format!("Жінка, розмір {size}"),
        }
    } else {
        Translated {
            de: format!("Mann, Größe {size}"),
            en: format!("Man, size {size}"),
            es: format!("Hombre, talla {size}"),
            fr: format!("Homme, taille {size}"),
            nl: format!("Man, maat {size}"),
            uk: format!("Чоловік, розмір {size}"),
        }
    };
    CuratedSetContent {
        // The heights of the models are unknown, so the sizes determine the order.
        height: size.parse().unwrap_or_default(),
        texts: Texts {
            names,
            notes: Translated::default(),
            tags: vec![if female { "female" } else { "male" }.to_owned(), "adult".to_owned()],
            info: String::new(),
        },
        measies,
        published: true,
    }
}

#[cfg(test)]
mod tests {
    use bespoke_core::measurement::NAMES;

    use super::*;

    #[test]
    fn seeds_are_twenty_complete_sets_by_size() {
        let models = models();
        assert_eq!(models.len(), 20);
        for model in &models {
            assert_eq!(model.measies.len(), NAMES.len(), "{}", model.texts.names.en);
        }
        let sizes: Vec<_> = models.iter().map(|model| model.height).collect();
        assert_eq!(
            sizes,
            (28..=46).step_by(2).chain((32..=50).step_by(2)).collect::<Vec<_>>()
        );
        assert_eq!(models[0].texts.names.uk, "Жінка, розмір 28");
    }
}
