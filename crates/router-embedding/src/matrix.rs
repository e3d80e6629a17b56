//! The vectors of many texts, a byte per number, and their dot products with those of queries.
//!
//! A row is scaled so that its largest number is ±127; a query keeps as many of its bits as cannot overflow the sum.
//! The error of a cosine stays below 0.005, which is less than any two models agree on.

use fearless_simd::{Level, dispatch};

use crate::vector::Vector;

/// How many numbers are multiplied side by side. Rows are filled up with zeros to a multiple.
const LANES: usize = 32;

/// The vectors of texts, in their order. Immutable.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    dimensions: usize,
    /// How many chunks a row has.
    width: usize,
    values: Box<[[i8; LANES]]>,
    /// What one step of a row's numbers is worth; 0 for a text without a vector.
    scales: Box<[f32]>,
}

/// A vector, a byte per number, on its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The numbers; none for a text without a vector.
    pub(crate) values: Box<[i8]>,
    /// What one step of them is worth.
    pub(crate) scale: f32,
}

impl Row {
    /// The row of a vector; of none, an empty one.
    pub(crate) fn new(vector: Option<&Vector>) -> Self {
        let values = vector.map_or(&[][..], Vector::values);
        let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = largest / 127.0;
        Self { values: values.iter().map(|value| (value / scale).round() as i8).collect(), scale }
    }
}

/// Vectors of queries, ready to be multiplied with rows.
#[derive(Debug)]
pub(crate) struct Probes {
    /// The number of dimensions.
    dimensions: usize,
    each: Vec<Probe>,
    /// What this processor can do.
    level: Level,
}

#[derive(Debug)]
struct Probe {
    values: Box<[[i16; LANES]]>,
    scale: f32,
}

impl Probes {
    /// Makes ready `vectors`, all of as many dimensions as the first.
    pub(crate) fn new<'v>(vectors: impl IntoIterator<Item = &'v Vector>) -> Self {
        let mut made = Self { dimensions: 0, each: Vec::new(), level: level() };
        for values in vectors.into_iter().map(Vector::values) {
            made.dimensions = values.len();
            let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            // The largest step with which no sum of products with bytes leaves an i32.
            let most = (i32::MAX as usize / (128 * values.len().max(1))).min(i16::MAX as usize) as f32;
            let scale = largest / most;
            let steps = values.iter().map(|value| (value / scale).round() as i16);
            made.each.push(Probe { values: chunks(steps, values.len()), scale });
        }
        made
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.each.len()
    }
}

impl Matrix {
    /// The matrix of `rows`, which are empty or all of one length.
    pub(crate) fn new<'r>(rows: impl Iterator<Item = &'r Row> + Clone) -> Self {
        let dimensions = rows.clone().map(|row| row.values.len()).max().unwrap_or(0);
        let width = dimensions.div_ceil(LANES);
        let mut values = Vec::with_capacity(rows.clone().count() * width);
        for row in rows.clone() {
            values.extend(chunks(row.values.iter().copied(), dimensions));
        }
        Self { dimensions, width, values: values.into(), scales: rows.map(|row| row.scale).collect() }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.scales.len()
    }

    /// Hands the cosines of each row with each of `probes` to `emit`, by row; none of a row without a vector. Where
    /// the model has changed its number of dimensions meanwhile, no row has one.
    pub(crate) fn scan(&self, probes: &Probes, emit: impl FnMut(usize, &[f32])) {
        if self.dimensions != 0 && self.dimensions == probes.dimensions {
            dispatch!(probes.level, _simd => self.scan_rows(probes, emit));
        }
    }

    /// Is compiled once for each kind of processor, and so must be [`product`]: what is not inlined is not.
    #[inline(always)]
    fn scan_rows(&self, probes: &Probes, mut emit: impl FnMut(usize, &[f32])) {
        let mut cosines = vec![0.0; probes.len()];
        for (place, (row, scale)) in self.values.chunks_exact(self.width).zip(&self.scales).enumerate() {
            if *scale == 0.0 {
                continue;
            }
            for (cosine, probe) in cosines.iter_mut().zip(&probes.each) {
                *cosine = product(row, &probe.values) as f32 * scale * probe.scale;
            }
            emit(place, &cosines);
        }
    }

    /// The vector of a row, as it was kept.
    pub(crate) fn row(&self, place: usize) -> Vec<f32> {
        let (scale, start) = (self.scales[place], place * self.width);
        let row = &self.values[start..start + self.width];
        row.as_flattened()[..self.dimensions].iter().map(|value| f32::from(*value) * scale).collect()
    }
}

fn chunks<T: Copy + Default>(values: impl Iterator<Item = T>, dimensions: usize) -> Box<[[T; LANES]]> {
    let mut chunks = vec![[T::default(); LANES]; dimensions.div_ceil(LANES)];
    for (slot, value) in chunks.as_flattened_mut().iter_mut().zip(values) {
        *slot = value;
    }
    chunks.into()
}

/// The widest instructions of this processor that pay. Of those on 512 bits, getting the numbers into place costs more
/// than they save.
fn level() -> Level {
    let level = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let level = level.as_avx2().map_or(level, Level::Avx2);
    level
}

/// The sum of products. Compilers turn the inner loop into multiply-and-add instructions, which all x86-64 and ARM64
/// processors have for 16-bit numbers.
#[inline(always)]
fn product(row: &[[i8; LANES]], probe: &[[i16; LANES]]) -> i32 {
    let mut sum = 0;
    for (row, probe) in row.iter().zip(probe) {
        for lane in 0..LANES {
            sum += i32::from(row[lane]) * i32::from(probe[lane]);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::dot;

    /// Vectors that look like noise, the same each time.
    fn vectors(count: usize, dimensions: usize) -> Vec<Vector> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| Vector::new((0..dimensions).map(|_| next()).collect()).expect("noise")).collect()
    }

    fn cosines(matrix: &Matrix, probes: &Probes) -> Vec<(usize, Vec<f32>)> {
        let mut found = Vec::new();
        matrix.scan(probes, |place, cosines| found.push((place, cosines.to_vec())));
        found
    }

    #[test]
    fn cosines_are_those_of_the_vectors() {
        for dimensions in [1, 31, 32, 33, 256, 384, 3072] {
            let (texts, queries) = (vectors(20, dimensions), vectors(3, dimensions));
            let rows: Vec<Row> = texts.iter().map(|vector| Row::new(Some(vector))).collect();
            for (place, found) in cosines(&Matrix::new(rows.iter()), &Probes::new(&queries)) {
                for (query, found) in queries.iter().zip(found) {
                    let expected = dot(texts[place].values(), query.values());
                    assert!((found - expected).abs() < 0.005, "{dimensions}: {found} instead of {expected}");
                }
            }
        }
    }

    #[test]
    fn a_row_is_the_vector_that_it_was_made_from() {
        let texts = vectors(3, 40);
        let rows: Vec<Row> = texts.iter().map(|vector| Row::new(Some(vector))).collect();
        let matrix = Matrix::new(rows.iter());
        for (place, text) in texts.iter().enumerate() {
            let row = matrix.row(place);
            assert_eq!(row.len(), 40);
            assert!(row.iter().zip(text.values()).all(|(kept, value)| (kept - value).abs() < 0.005), "{row:?}");
        }
    }

    #[test]
    fn no_sum_overflows() {
        for dimensions in [1, 256, 512, 4096, 16_384] {
            let all = Vector::new(vec![1.0; dimensions]).expect("it has a direction");
            let opposite = Vector::new(vec![-1.0; dimensions]).expect("it has a direction");
            let matrix = Matrix::new([&Row::new(Some(&all))].into_iter());
            let found = cosines(&matrix, &Probes::new([&all, &opposite]));
            assert!(
                (found[0].1[0] - 1.0).abs() < 0.01 && (found[0].1[1] + 1.0).abs() < 0.01,
                "{dimensions}: {found:?}"
            );
        }
    }

    #[test]
    fn texts_without_a_vector_are_left_out() {
        let texts = vectors(2, 8);
        let rows = [Row::new(None), Row::new(Some(&texts[0])), Row::new(None), Row::new(Some(&texts[1]))];
        let matrix = Matrix::new(rows.iter());
        let places: Vec<usize> = cosines(&matrix, &Probes::new(&texts)).into_iter().map(|(place, _)| place).collect();
        assert_eq!((matrix.rows(), places), (4, vec![1, 3]));
        assert_eq!(cosines(&Matrix::new(rows[..1].iter()), &Probes::new(&texts)), []);
        assert_eq!(cosines(&matrix, &Probes::new(&vectors(1, 40))), []);
    }
}
