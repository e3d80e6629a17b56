//! What is remembered of one tool.

use crate::spread::Spread;
use crate::terms::Term;

/// Queries less alike than this (cosine) say nothing about each other.
const ALIKE: f32 = 0.2;

/// What one principal's uses weigh at most, in uses of the very same query: everybody has one voice.
const ONE_PRINCIPAL: f32 = 1.0;

/// One use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Use {
    /// The query's terms, in ascending order.
    pub(crate) terms: Box<[Term]>,
    /// Who.
    pub(crate) principal: u32,
    /// When, in days since 1970.
    pub(crate) day: u32,
    /// How much the tool needed, in log-odds above what the other router gave it, to stand first; 0 where it did.
    pub(crate) needed: f32,
}

/// The uses of one tool, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Uses(pub(crate) Vec<Use>);

/// A query to be compared with remembered ones.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Each term with its weight, by term.
    terms: Vec<(Term, f32)>,
    /// The sum of the weights.
    norm: f32,
    spread: &'a Spread,
    today: u32,
    half_life_days: u32,
}

/// What a tool's uses say about a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Evidence {
    /// How much the tool needed after queries like this one: a weighted mean.
    pub(crate) needed: f32,
    /// How many such uses there were, each counted by its likeness.
    pub(crate) weight: f32,
    /// The likeness of the most alike, 0..=1.
    pub(crate) likeness: f32,
}

impl Uses {
    /// Remembers one more use, and returns the one that it displaces. Whoever does the same again is remembered once.
    /// Where there are `max` already, the one who is remembered most often loses the oldest: nobody displaces others
    /// by being loud.
    pub(crate) fn add(&mut self, new: Use, max: usize) -> Option<Use> {
        let Self(uses) = self;
        let same = |known: &Use| known.principal == new.principal && known.terms == new.terms;
        let displaced = match uses.iter().position(same) {
            Some(place) => Some(uses.remove(place)),
            None if uses.len() >= max => {
                let of = |principal: u32| uses.iter().filter(|known| known.principal == principal).count();
                // Of equally loud ones the first, which has the oldest use.
                let loudest = (0..uses.len()).rev().max_by_key(|place| of(uses[*place].principal));
                loudest.map(|place| uses.remove(place))
            }
            None => None,
        };
        uses.push(new);
        displaced
    }

    /// What they say about a query; `None` where none is like it.
    pub(crate) fn evidence(&self, asked: &Asked<'_>) -> Option<Evidence> {
        let mut likeness = 0.0_f32;
        // By principal: needs times weights, and weights. Few are many.
        let mut voices: Vec<(u32, f32, f32)> = Vec::new();
        for known in &self.0 {
            let alike = asked.likeness(known);
            if alike <= 0.0 {
                continue;
            }
            likeness = likeness.max(alike);
            let needed = alike * known.needed;
            match voices.iter_mut().find(|voice| voice.0 == known.principal) {
                Some(voice) => *voice = (voice.0, voice.1 + needed, voice.2 + alike),
                None => voices.push((known.principal, needed, alike)),
            }
        }
        let (mut needed, mut weight) = (0.0, 0.0);
        for (_, their_needed, their_weight) in voices {
            let counted = their_weight.min(ONE_PRINCIPAL);
            needed += their_needed / their_weight * counted;
            weight += counted;
        }
        (weight > 0.0).then(|| Evidence { needed: needed / weight, weight, likeness })
    }
}

impl<'a> Asked<'a> {
    /// A query with these terms, in ascending order.
    pub(crate) fn new(terms: &[Term], spread: &'a Spread, today: u32, half_life_days: u32) -> Self {
        let terms: Vec<_> = terms.iter().map(|term| (*term, spread.weight(*term))).collect();
        let norm = terms.iter().map(|(_, weight)| weight).sum();
        Self { terms, norm, spread, today, half_life_days }
    }

    /// How much the query of a use is like this one: the cosine of their terms by weight, above [`ALIKE`], less as
    /// the use grows old.
    fn likeness(&self, known: &Use) -> f32 {
        let mut own = self.terms.iter().peekable();
        let (mut shared, mut norm) = (0.0, 0.0);
        for term in &known.terms {
            while own.next_if(|(other, _)| other < term).is_some() {}
            match own.next_if(|(other, _)| other == term) {
                Some((_, weight)) => {
                    shared += weight;
                    norm += weight;
                }
                None => norm += self.spread.weight(*term),
            }
        }
        if shared <= 0.0 {
            return 0.0;
        }
        let cosine = shared / (norm * self.norm).sqrt();
        let alike = ((cosine - ALIKE) / (1.0 - ALIKE)).clamp(0.0, 1.0);
        let age = self.today.saturating_sub(known.day) as f32 / self.half_life_days.max(1) as f32;
        alike * (-age).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn use_of(principal: u32, terms: &[Term], needed: f32) -> Use {
        Use { terms: terms.into(), principal, day: 100, needed }
    }

    fn evidence(uses: &[Use], query: &[Term], today: u32) -> Option<Evidence> {
        let spread = Spread::new();
        uses.iter().for_each(|known| spread.add(&known.terms));
        Uses(uses.to_vec()).evidence(&Asked::new(query, &spread, today, 90))
    }

    #[test]
    fn the_more_alike_the_more_it_says() {
        let uses = [use_of(1, &[1, 2, 3], 0.8)];
        let weight = |query: &[Term]| evidence(&uses, query, 100).map_or(0.0, |evidence| evidence.weight);
        assert!((weight(&[1, 2, 3]) - 1.0).abs() < 1e-5);
        assert!(weight(&[1, 2, 3]) > weight(&[1, 2, 9]) && weight(&[1, 2, 9]) > 0.0);
        assert_eq!(weight(&[7, 8, 9]), 0.0);
        assert_eq!(weight(&[]), 0.0);
        assert_eq!(weight(&[1, 20, 21, 22, 23, 24, 25, 26, 27, 28]), 0.0, "one word of ten");
    }

    #[test]
    fn it_is_forgotten_by_and_by() {
        let uses = [use_of(1, &[1, 2, 3], 0.8)];
        let weight = |today| evidence(&uses, &[1, 2, 3], today).map_or(0.0, |evidence| evidence.weight);
        assert!((weight(190) / weight(100) - 0.5).abs() < 1e-5);
        assert!(weight(100 + 900) < 0.001);
        assert_eq!(weight(50), weight(100), "a clock that was set back");
    }

    #[test]
    fn one_voice_does_not_drown_the_others() {
        let loud: Vec<_> = (10..24).map(|n| use_of(1, &[1, 2, 3, n], 1.0)).collect();
        let others = [use_of(2, &[1, 2, 3], 0.0), use_of(3, &[1, 2, 3], 0.0), use_of(4, &[1, 2, 3], 0.0)];
        let together: Vec<_> = loud.iter().chain(&others).cloned().collect();
        let needed = evidence(&together, &[1, 2, 3], 100).expect("is like it").needed;
        assert!(needed < 0.51, "{needed}");
        assert!(evidence(&loud, &[1, 2, 3], 100).expect("is like it").weight <= ONE_PRINCIPAL);
    }

    #[test]
    fn the_loudest_makes_room() {
        let mut uses = Uses::default();
        assert_eq!(uses.add(use_of(2, &[1], 0.5), 3), None);
        for n in 0..100 {
            uses.add(use_of(1, &[n], 1.0), 3);
        }
        assert_eq!(uses.0, [use_of(2, &[1], 0.5), use_of(1, &[98], 1.0), use_of(1, &[99], 1.0)]);
        // The same again takes its own place.
        assert_eq!(uses.add(use_of(2, &[1], 0.2), 3), Some(use_of(2, &[1], 0.5)));
        assert_eq!(uses.0.len(), 3);
    }
}
