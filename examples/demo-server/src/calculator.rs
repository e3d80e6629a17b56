//! Evaluates an arithmetic expression that a stranger wrote, with the `fend-core` library.
//!
//! The library is exact and knows units and percentages, but it trusts its input: it recurses once per
//! nested operand, computes as long as it is told to, and has variables and functions. So the text is
//! limited in length and alphabet first (no way to define anything), and evaluated on a thread with a
//! stack that fits the longest text, against a deadline. It can reach no file, network, or clock.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Longest expression, in characters. The stack below is measured against it.
pub const MAX_EXPRESSION_CHARS: usize = 500;

/// Longest result, in characters: a power of a large number has millions of digits.
const MAX_RESULT_CHARS: usize = 2_000;

/// Longest evaluation.
const MAX_EVALUATION: Duration = Duration::from_millis(500);

/// An unoptimised build uses up to 80 KiB per pair of brackets, and 250 pairs fit; the rest is reserve.
/// Pages that are not touched cost nothing.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What may stand in an expression besides letters, digits and white space.
const SYMBOLS: &str = "+-*/^%!().,<>|&°×÷√²³−·€£";

/// The Greek letter starts an anonymous function, and functions make endless recursion possible.
const LAMBDA: char = 'λ';

/// A value and how sure it is.
#[derive(Debug, PartialEq, Eq, Serialize, rmcp::schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub struct Calculation {
    /// The expression as it was asked.
    pub expression: String,
    /// The value, with its unit when it has one.
    pub result: String,
    /// False when the result was rounded.
    pub exact: bool,
}

/// Why there is no value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalculationError {
    #[error("the expression is empty")]
    Empty,
    #[error("the expression has {0} characters, more than the {MAX_EXPRESSION_CHARS} allowed")]
    TooLong(usize),
    #[error("the character {0:?} is not part of arithmetic")]
    Character(char),
    #[error("evaluation was stopped after {} ms; ask for something smaller", MAX_EVALUATION.as_millis())]
    TooSlow,
    #[error("the result has {0} digits, more than the {MAX_RESULT_CHARS} allowed")]
    TooLarge(usize),
    #[error("{0}")]
    Refused(String),
}

/// The value of `expression`. Takes at most half a second, so call it where blocking is allowed.
pub fn calculate(expression: &str) -> Result<Calculation, CalculationError> {
    let expression = expression.trim();
    check(expression)?;
    let deadline = Deadline(Instant::now() + MAX_EVALUATION);
    let printed = thread::scope(|scope| {
        thread::Builder::new()
            .name("calculator".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || evaluate(expression, &deadline))
            .map_err(|error| CalculationError::Refused(format!("no thread to calculate on: {error}")))?
            .join()
            // The library has asserts that odd input reaches; its panic ends that thread alone.
            .unwrap_or_else(|_| Err(CalculationError::Refused("the expression cannot be evaluated".to_owned())))
    })?;
    let (result, exact) = match printed.strip_prefix("approx. ") {
        Some(rounded) => (rounded, false),
        None => (printed.as_str(), true),
    };
    let length = result.chars().count();
    if length > MAX_RESULT_CHARS {
        return Err(CalculationError::TooLarge(length));
    }
    Ok(Calculation { expression: expression.to_owned(), result: result.to_owned(), exact })
}

fn check(expression: &str) -> Result<(), CalculationError> {
    if expression.is_empty() {
        return Err(CalculationError::Empty);
    }
    let length = expression.chars().count();
    if length > MAX_EXPRESSION_CHARS {
        return Err(CalculationError::TooLong(length));
    }
    let allowed = |c: char| (c.is_alphanumeric() && c != LAMBDA) || c == ' ' || SYMBOLS.contains(c);
    match expression.chars().find(|c| !allowed(*c)) {
        Some(stranger) => Err(CalculationError::Character(stranger)),
        None => Ok(()),
    }
}

fn evaluate(expression: &str, deadline: &Deadline) -> Result<String, CalculationError> {
    let mut context = fend_core::Context::new();
    match fend_core::evaluate_with_interrupt(expression, &mut context, deadline) {
        Ok(value) if value.get_main_result().is_empty() => {
            Err(CalculationError::Refused("the expression has no value".to_owned()))
        }
        Ok(value) => Ok(value.get_main_result().to_owned()),
        Err(_) if deadline.is_over() => Err(CalculationError::TooSlow),
        Err(message) => Err(CalculationError::Refused(message)),
    }
}

struct Deadline(Instant);

impl Deadline {
    fn is_over(&self) -> bool {
        Instant::now() >= self.0
    }
}

impl fend_core::Interrupt for Deadline {
    fn should_interrupt(&self) -> bool {
        self.is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_what_school_taught() {
        let cases = [
            ("2+2*10", "22", true),
            ("-2^2", "-4", true),
            ("2^3^2", "512", true),
            ("0.1 + 0.2", "0.3", true),
            ("10/2*5", "25", true),
            ("2,000 * 3", "6000", true),
            ("3 × 4 ÷ 2", "6", true),
            ("15% of 240", "36", true),
            ("7 mod 3", "1", true),
            ("20!", "2432902008176640000", true),
            ("sqrt(16) + 3", "7", true),
            ("1/3", "0.3333333333", false),
            ("sqrt 2", "1.4142135624", false),
            ("5 km to miles", "3.1068559612 miles", false),
        ];
        for (expression, result, exact) in cases {
            let expected = Calculation { expression: expression.to_owned(), result: result.to_owned(), exact };
            assert_eq!(calculate(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn what_has_no_value_says_why() {
        let refused = |text: &str| Err(CalculationError::Refused(text.to_owned()));
        let cases = [
            ("1/0", refused("division by zero")),
            ("0/0", refused("division by zero")),
            ("", Err(CalculationError::Empty)),
            ("   ", Err(CalculationError::Empty)),
            ("()", refused("the expression has no value")),
            ("system", refused("unknown identifier 'system'")),
            ("today", refused("unable to get the current date")),
            ("10 USD to EUR", refused("exchange rates are not available")),
            ("roll d6", refused("random numbers are not available")),
        ];
        for (expression, expected) in cases {
            assert_eq!(calculate(expression), expected, "{expression}");
        }
    }

    #[test]
    fn nothing_can_be_defined_or_quoted() {
        let cases = [
            (r"(\x. x x) (\x. x x)", '\\'),
            ("(λx. x x) (λx. x x)", 'λ'),
            ("(f: f f) (f: f f)", ':'),
            ("x => x", '='),
            ("1; 2", ';'),
            ("@debug 1", '@'),
            ("'a'", '\''),
            ("\"a\"", '"'),
            ("1 # note", '#'),
            ("1\n2", '\n'),
            ("_", '_'),
        ];
        for (expression, stranger) in cases {
            assert_eq!(calculate(expression), Err(CalculationError::Character(stranger)), "{expression}");
        }
    }

    #[test]
    fn huge_work_ends_in_time() {
        for expression in ["10^10^10", "9^9^9^9", "5000000!", "0.1^1000000", "3!!!!!!!!!!"] {
            let start = Instant::now();
            let answer = calculate(expression);
            assert!(answer.is_err(), "{expression} gave {answer:?}");
            assert!(start.elapsed() < MAX_EVALUATION * 6, "{expression} took {:?}", start.elapsed());
        }
        assert!(matches!(calculate("10^5000"), Err(CalculationError::TooLarge(_))));
        assert!(matches!(calculate(&"1+".repeat(251)), Err(CalculationError::TooLong(502))));
    }

    #[test]
    fn the_deepest_text_fits_the_stack() {
        // A stack overflow would abort this test's process, so it is enough to come back.
        let half = MAX_EXPRESSION_CHARS / 2;
        let wrap = |open: &str| format!("{}1{}", open.repeat(half / open.len()), ")".repeat(half / open.len() - 1));
        let mut texts = vec![wrap("("), wrap("-("), wrap("√("), wrap("sin(")];
        for link in
            ["(", "-", "√", "!", "^", "2^", "1+", "1*", "1/", "1-", "²", "1%", "m ", "sin ", "1 to ", "1 of ", "1,"]
        {
            let many = MAX_EXPRESSION_CHARS / link.chars().count() - 1;
            texts.push(format!("{}1", link.repeat(many)));
            texts.push(format!("1{}", link.repeat(many)));
        }
        for text in texts {
            assert!(text.chars().count() <= MAX_EXPRESSION_CHARS, "{text}");
            drop(calculate(&text));
        }
    }
}
