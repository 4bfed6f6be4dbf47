//! Columns that stand below each other and fit the width there is: the least important are left
//! out first, then the first column is cut. What stands in them is not known here.

use std::fmt::Write as _;

/// The spaces between two columns.
const GAP: usize = 2;
/// The first column is not cut to less.
const LEAST: usize = 8;

/// Rows of cells under headings; the first column is left-aligned, the others are numbers.
#[derive(Debug)]
pub(super) struct TextGrid {
    columns: Vec<GridColumn>,
}

#[derive(Debug)]
struct GridColumn {
    /// The higher, the sooner it is left out; 0: never.
    rank: usize,
    cells: Vec<String>,
    width: usize,
}

impl TextGrid {
    /// Makes a table without rows. Each heading has its rank: the higher, the sooner it is left
    /// out; 0: never.
    pub(super) fn new<'a>(headings: impl Iterator<Item = (&'a str, usize)>) -> TextGrid {
        let column = |(heading, rank): (&str, usize)| GridColumn {
            rank,
            width: heading.chars().count(),
            cells: vec![heading.to_owned()],
        };
        TextGrid {
            columns: headings.map(column).collect(),
        }
    }

    /// Adds a row, with a cell for each heading.
    pub(super) fn push(&mut self, cells: impl Iterator<Item = String>) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.width = column.width.max(cell.chars().count());
            column.cells.push(cell);
        }
    }

    /// Returns its lines, none longer than `width` as long as there is room for the least.
    pub(super) fn grid_lines(mut self, width: usize) -> Vec<String> {
        while self.grid_width() > width {
            let ranks = self.columns.iter().map(|column| column.rank).enumerate();
            match ranks.max_by_key(|(_, rank)| *rank) {
                Some((place, rank)) if rank > 0 => drop(self.columns.remove(place)),
                _ => break,
            }
        }
        let too_long = self.grid_width().saturating_sub(width);
        if let Some(first) = self.columns.first_mut() {
            first.width = first
                .width
                .saturating_sub(too_long)
                .max(LEAST.min(first.width));
        }
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        (0..rows).map(|row| self.row_line(row)).collect()
    }

    fn grid_width(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.width + GAP);
        columns.sum::<usize>().saturating_sub(GAP)
    }

    fn row_line(&self, row: usize) -> String {
        let mut line = String::new();
        for (place, column) in self.columns.iter().enumerate() {
            let cell = cut_text(&column.cells[row], column.width);
            let width = column.width;
            if place == 0 {
                line = format!("{cell:<width$}");
            } else {
                let _ = write!(line, "{:GAP$}{cell:>width$}", "");
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn cut_text(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// Returns words in lines no longer than `width`, those after the first indented; a longer word has
/// a line of its own.
pub(super) fn wrap_words(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the start");
        let is_new = line.trim().is_empty();
        let needed = line.chars().count() + usize::from(!is_new) + word.chars().count();
        if needed > width && !is_new {
            lines.push(" ".repeat(indent) + word);
        } else {
            if !is_new {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(width: usize) -> Vec<String> {
        let headings = [("Query", 0), ("Requests", 1), ("Rare", 2)];
        let mut grid = TextGrid::new(headings.into_iter());
        for cells in [["revenue-by-region", "1,234", "7"], ["a", "9", "–"]] {
            grid.push(cells.into_iter().map(str::to_owned));
        }
        grid.grid_lines(width)
    }

    #[test]
    fn columns_stand_below_each_other() {
        assert_eq!(
            grid(80),
            [
                "Query              Requests  Rare",
                "revenue-by-region     1,234     7",
                "a                         9     –",
            ]
        );
    }

    #[test]
    fn what_matters_least_is_left_out_first_and_then_names_are_cut() {
        assert_eq!(grid(30)[1], "revenue-by-region     1,234");
        assert_eq!(grid(20)[1], "revenue-by-region");
        assert_eq!(grid(10)[1], "revenue-b…");
        assert_eq!(grid(1)[1], "revenue…");
        for width in LEAST..60 {
            assert!(grid(width).iter().all(|line| line.chars().count() <= width));
        }
    }

    #[test]
    fn words_wrap_and_none_is_lost() {
        let lines = wrap_words("one two three-and-more four", 9, 2);
        assert_eq!(lines, ["one two", "  three-and-more", "  four"]);
        assert_eq!(wrap_words("", 9, 2), [""]);
    }
}
