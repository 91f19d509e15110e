//! [`svg`]: draws a text as a QR code in SVG.

use std::fmt::Write;

use bespoke_web::{Error, Result};
use qrcode::{Color, QrCode};

/// Width of the empty border around the code, in modules.
const QUIET_ZONE: usize = 4;

/// Returns the code as SVG. It fills its container, has the colour of the surrounding text and no background.
///
/// # Errors
/// 500 if the text is too long for a QR code.
pub(crate) fn svg(text: &str) -> Result<String> {
    let code = QrCode::new(text).map_err(Error::internal)?;
    let (width, mut modules) = (code.width(), String::new());
    for (position, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (position % width + QUIET_ZONE, position / width + QUIET_ZONE);
            write!(modules, "M{x} {y}h1v1h-1z").map_err(Error::internal)?;
        }
    }
    let size = width + 2 * QUIET_ZONE;
    Ok(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="qrcode" width="100%" height="100%" viewBox="0 0 {size} {size}" background="none" shape-rendering="crispEdges"><path fill="currentColor" d="{modules}"/></svg>"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn svg_contains_the_dark_modules() {
        let svg = svg("bespoke").unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
        assert!(
            svg.contains(r#"class="qrcode" width="100%" height="100%" viewBox="0 0 29 29""#),
            "{svg}"
        );
        let dark = QrCode::new("bespoke").unwrap().to_colors();
        assert_eq!(
            svg.matches("h1v1h-1z").count(),
            dark.iter().filter(|color| **color == Color::Dark).count()
        );
        // The top left corner is dark in every code.
        assert!(svg.contains("M4 4h1"));
    }
}
