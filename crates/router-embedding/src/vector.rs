//! A text's place among all meanings.

/// The vector of a text: a direction, so its length is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Box<[f32]>);

impl Vector {
    /// `values` brought to length 1. None where they have no direction (all are 0, or one is no number) or no
    /// dimension.
    pub fn new(mut values: Vec<f32>) -> Option<Self> {
        let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length <= 0.0 {
            return None;
        }
        for value in &mut values {
            *value = (f64::from(*value) / length) as f32;
        }
        Some(Self(values.into()))
    }

    /// One number per dimension.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

/// The dot product of two lists of equal length.
pub(crate) fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 8;
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<LANES>(), other.as_chunks::<LANES>());
    // Sums side by side: the compiler may not change the order of a sum of fractions by itself.
    let mut sums = [0.0_f32; LANES];
    for (one, other) in ones.iter().zip(others) {
        for lane in 0..LANES {
            sums[lane] += one[lane] * other[lane];
        }
    }
    sums.iter().sum::<f32>() + one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_length_one_or_are_none() {
        let vector = Vector::new(vec![3.0, -4.0]).expect("it has a direction");
        assert_eq!(vector.values(), [0.6, -0.8]);
        // Squares of these neither overflow nor vanish.
        for tiny_or_huge in [1e-30, 1e30] {
            let vector = Vector::new(vec![tiny_or_huge; 4]).expect("it has a direction");
            assert_eq!(vector.values(), [0.5; 4]);
        }
        for none in [vec![], vec![0.0, 0.0], vec![1.0, f32::NAN], vec![f32::INFINITY, 1.0]] {
            assert_eq!(Vector::new(none.clone()), None, "{none:?}");
        }
    }

    #[test]
    fn dot_products_read_every_dimension() {
        for length in 0..40 {
            let values: Vec<f32> = (0..length).map(|value| value as f32).collect();
            let expected: f32 = values.iter().map(|value| value * value).sum();
            assert_eq!(dot(&values, &values), expected, "{length}");
        }
    }
}
