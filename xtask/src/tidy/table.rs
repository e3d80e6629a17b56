//! The table of crates in `docs/architecture.md`, generated from the crates' own descriptions.

use super::layers::{Layer, layer_of};
use crate::workspace::Package;

const BEGIN: &str = "<!-- crates:begin -->";
const END: &str = "<!-- crates:end -->";

/// The document with its table as it should be.
pub fn with_table(document: &str, packages: &[Package]) -> Result<String, String> {
    let markers = || format!("needs the lines `{BEGIN}` and `{END}`, between which the table of crates goes");
    let (before, rest) = document.split_once(BEGIN).ok_or_else(markers)?;
    let (_, after) = rest.split_once(END).ok_or_else(markers)?;
    Ok(format!("{before}{BEGIN}\n{}{END}{after}", table(packages)))
}

/// The line of the document on which the table begins, from 1.
pub fn line_in(document: &str) -> usize {
    document.lines().position(|line| line.contains(BEGIN)).map_or(1, |index| index + 1)
}

fn table(packages: &[Package]) -> String {
    let mut rows: Vec<(Layer, &Package)> =
        packages.iter().filter_map(|package| Some((layer_of(&package.folder, &package.name)?, package))).collect();
    rows.sort_by_key(|(layer, package)| (*layer, package.name.as_str()));
    let mut text = "| layer | crate | its one sentence |\n|---|---|---|\n".to_owned();
    for (layer, package) in rows {
        let folder = package.folder.display();
        let sentence = package.description.as_deref().unwrap_or_default().replace('|', "\\|");
        text.push_str(&format!("| {} | [`{}`](../{folder}) | {sentence} |\n", title(layer), package.name));
    }
    text
}

fn title(layer: Layer) -> &'static str {
    match layer {
        Layer::Core => "core",
        Layer::Wire => "wire",
        Layer::Leaf => "leaf",
        Layer::Server => "server",
        Layer::Door => "door",
        Layer::App => "app",
        Layer::Binary => "binary",
        Layer::Client => "client",
        Layer::Testkit => "tests",
        Layer::Tool => "measuring",
        Layer::Example => "example",
        Layer::Xtask => "tasks",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_replaced_between_its_markers() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            description: Some(format!("The {name} | thing.")),
            folder: format!("crates/{name}").into(),
            dependencies: Vec::new(),
            dev_dependencies: Vec::new(),
        };
        let packages = [package("serve-rest"), package("gateway-core")];
        let document = "# A\n<!-- crates:begin -->\nold\n<!-- crates:end -->\nend\n";
        let expected = "# A\n<!-- crates:begin -->\n| layer | crate | its one sentence |\n|---|---|---|\n\
            | core | [`gateway-core`](../crates/gateway-core) | The gateway-core \\| thing. |\n\
            | door | [`serve-rest`](../crates/serve-rest) | The serve-rest \\| thing. |\n<!-- crates:end -->\nend\n";
        let written = with_table(document, &packages).unwrap();
        assert_eq!(written, expected);
        assert_eq!(with_table(&written, &packages).unwrap(), written);
        assert_eq!(line_in(document), 2);
        assert!(with_table("# no markers", &packages).is_err());
    }
}
