//! The mathematical functions that SQLite's shell has and the SQLite of sqlx is built without:
//! `sqrt`, `pow`, `ceil`, `log`, the trigonometric ones and their like, with SQLite's own rules:
//! what is no number gives NULL, and so does a value outside of a function's domain.
#![allow(unsafe_code, reason = "sqlx has no way to add an SQL function")]

use std::f64::consts::PI;
use std::ffi::{CStr, c_int};

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

/// The way in which a function is computed.
enum MathRule {
    /// A constant, without an argument.
    Constant(f64),
    /// A function of one number; a whole number stays as it is.
    Rounding(fn(f64) -> f64),
    /// A function of one number.
    Single(fn(f64) -> f64),
    /// A function of two numbers.
    Double(fn(f64, f64) -> f64),
}

use MathRule::{Constant, Double, Rounding, Single};

/// Each function by its name; SQLite finds the one with the right number of arguments.
static FUNCTIONS: [(&CStr, MathRule); 30] = [
    (c"ceil", Rounding(f64::ceil)),
    (c"ceiling", Rounding(f64::ceil)),
    (c"floor", Rounding(f64::floor)),
    (c"trunc", Rounding(f64::trunc)),
    (c"ln", Single(|x| positive_or_nan(x).ln())),
    (c"log", Single(|x| positive_or_nan(x).log10())),
    (c"log10", Single(|x| positive_or_nan(x).log10())),
    (c"log2", Single(|x| positive_or_nan(x).log2())),
    (c"log", Double(log_to_base)),
    (c"exp", Single(f64::exp)),
    (c"sqrt", Single(f64::sqrt)),
    (c"pow", Double(f64::powf)),
    (c"power", Double(f64::powf)),
    (c"mod", Double(|x, y| x % y)),
    (c"acos", Single(f64::acos)),
    (c"asin", Single(f64::asin)),
    (c"atan", Single(f64::atan)),
    (c"atan2", Double(f64::atan2)),
    (c"cos", Single(f64::cos)),
    (c"sin", Single(f64::sin)),
    (c"tan", Single(f64::tan)),
    (c"cosh", Single(f64::cosh)),
    (c"sinh", Single(f64::sinh)),
    (c"tanh", Single(f64::tanh)),
    (c"acosh", Single(f64::acosh)),
    (c"asinh", Single(f64::asinh)),
    (c"atanh", Single(f64::atanh)),
    (c"radians", Single(|x| x * (PI / 180.0))),
    (c"degrees", Single(|x| x * (180.0 / PI))),
    (c"pi", Constant(PI)),
];

/// A number that has a logarithm, else none; SQLite stores that as NULL.
fn positive_or_nan(x: f64) -> f64 {
    if x > 0.0 { x } else { f64::NAN }
}

/// Returns the logarithm of `x` to a base, which must be greater than 1.
fn log_to_base(base: f64, x: f64) -> f64 {
    positive_or_nan(x).ln() / positive_or_nan(positive_or_nan(base).ln())
}

impl MathRule {
    fn argument_count(&self) -> c_int {
        match self {
            Constant(_) => 0,
            Rounding(_) | Single(_) => 1,
            Double(_) => 2,
        }
    }
}

/// Adds the functions to a connection. Returns whether SQLite took all of them.
pub(super) fn add_functions(handle: &mut LockedSqliteHandle<'_>) -> bool {
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS;
    FUNCTIONS.iter().all(|(name, rule)| {
        // SAFETY: the handle is open and locked for this call. The user data is a rule of a table
        // that lives as long as the program, and nobody writes to it.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                handle.as_raw_handle().as_ptr(),
                name.as_ptr(),
                rule.argument_count(),
                flags,
                std::ptr::from_ref(rule).cast_mut().cast(),
                Some(compute_call),
                None,
                None,
                None,
            )
        };
        code == ffi::SQLITE_OK
    })
}

unsafe extern "C" fn compute_call(
    context: *mut ffi::sqlite3_context,
    _count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) {
    // SAFETY: the user data is the rule that was given at registration.
    let rule = unsafe { &*ffi::sqlite3_user_data(context).cast::<MathRule>() };
    // SAFETY: SQLite calls with as many values as the function was registered with.
    let number = |index| unsafe { read_number(*values.add(index)) };
    let result = match rule {
        Constant(value) => Some(*value),
        Rounding(round) => match number(0) {
            Some(MathNumber::Whole(whole)) => {
                // SAFETY: `context` is SQLite's own, valid during this call.
                unsafe { ffi::sqlite3_result_int64(context, whole) };
                return;
            }
            Some(MathNumber::Real(real)) => Some(round(real)),
            None => None,
        },
        Single(compute) => number(0).map(|x| compute(x.to_real())),
        Double(compute) => match (number(0), number(1)) {
            (Some(x), Some(y)) => Some(compute(x.to_real(), y.to_real())),
            _ => None,
        },
    };
    // Without a result the function gives NULL.
    if let Some(result) = result {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_result_double(context, result) };
    }
}

enum MathNumber {
    Whole(i64),
    Real(f64),
}

impl MathNumber {
    #[allow(
        clippy::cast_precision_loss,
        reason = "SQLite computes with the nearest double too"
    )]
    fn to_real(&self) -> f64 {
        match self {
            MathNumber::Whole(whole) => *whole as f64,
            MathNumber::Real(real) => *real,
        }
    }
}

/// Returns the number that a value is, or that its text says.
///
/// # Safety
/// The value is one of SQLite's, given to the function that runs.
unsafe fn read_number(value: *mut ffi::sqlite3_value) -> Option<MathNumber> {
    // SAFETY: the caller's word.
    unsafe {
        match ffi::sqlite3_value_numeric_type(value) {
            ffi::SQLITE_INTEGER => Some(MathNumber::Whole(ffi::sqlite3_value_int64(value))),
            ffi::SQLITE_FLOAT => Some(MathNumber::Real(ffi::sqlite3_value_double(value))),
            _ => None,
        }
    }
}
