//! `printf` and `format` of SQLite with an error where SQLite gives NULL: a text that is longer than
//! the connection's bound on one value. Their own text is SQLite's: each call is passed on to a
//! connection in memory, which has the functions as they are.
#![allow(unsafe_code, reason = "sqlx has no way to add an SQL function")]

use std::ffi::{CStr, CString, c_int};
use std::ptr::null_mut;

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

const NAMES: [&CStr; 2] = [c"printf", c"format"];

/// Adds both functions to a connection, for texts of at most so many bytes. Returns whether SQLite
/// took them.
pub(super) fn add_functions(handle: &mut LockedSqliteHandle<'_>, max_value: c_int) -> bool {
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_INNOCUOUS;
    NAMES.iter().all(|name| {
        let formatter = Box::into_raw(Box::new(TextFormatter::new(max_value)));
        // SAFETY: the handle is open and locked for this call. SQLite owns `formatter` from here on
        // and gives it to `free` exactly once: when the connection closes, when the function is
        // replaced, or when this very call fails.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                handle.as_raw_handle().as_ptr(),
                name.as_ptr(),
                -1,
                flags,
                formatter.cast(),
                Some(format_call),
                None,
                None,
                Some(free_formatter),
            )
        };
        code == ffi::SQLITE_OK
    })
}

/// A connection that has SQLite's own `format`, opened when it is first needed.
struct TextFormatter {
    max_value: c_int,
    connection: *mut ffi::sqlite3,
    calls: Vec<PreparedCall>,
}

/// The statements for calls with one number of arguments.
struct PreparedCall {
    count: c_int,
    /// The call itself.
    call: *mut ffi::sqlite3_stmt,
    /// The call with a letter before its format, whose text is never empty: it is NULL only where
    /// the text is too long.
    probe: *mut ffi::sqlite3_stmt,
}

impl TextFormatter {
    fn new(max_value: c_int) -> TextFormatter {
        TextFormatter {
            max_value,
            connection: null_mut(),
            calls: Vec::new(),
        }
    }

    /// Returns the statements for calls with so many arguments.
    fn prepared_call(&mut self, count: c_int) -> Result<&PreparedCall, c_int> {
        let mut known = self.calls.iter().position(|call| call.count == count);
        if known.is_none() {
            self.open()?;
            let call = self.prepare_call("", count)?;
            known = Some(self.calls.len());
            self.calls.push(PreparedCall {
                count,
                call,
                probe: null_mut(),
            });
            let probe = self.prepare_call("'x' || ", count)?;
            self.calls.last_mut().ok_or(ffi::SQLITE_INTERNAL)?.probe = probe;
        }
        let at = known.ok_or(ffi::SQLITE_INTERNAL)?;
        Ok(&self.calls[at])
    }

    fn open(&mut self) -> Result<(), c_int> {
        if !self.connection.is_null() {
            return Ok(());
        }
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX;
        let place = &raw mut self.connection;
        // SAFETY: the name is a C string, and `place` is valid for one pointer. Where it fails it
        // may leave a connection there, which `drop` closes.
        let code = unsafe { ffi::sqlite3_open_v2(c":memory:".as_ptr(), place, flags, null_mut()) };
        check_code(code)?;
        // SAFETY: the connection is open and this formatter's alone.
        unsafe {
            ffi::sqlite3_limit(self.connection, ffi::SQLITE_LIMIT_LENGTH, self.max_value);
        }
        Ok(())
    }

    fn prepare_call(&self, before: &str, count: c_int) -> Result<*mut ffi::sqlite3_stmt, c_int> {
        let rest = ", ?".repeat(usize::try_from(count - 1).unwrap_or(0));
        let sql = CString::new(format!("select format({before}?{rest})"))
            .map_err(|_| ffi::SQLITE_INTERNAL)?;
        let mut statement = null_mut();
        // SAFETY: the connection is open, the text ends with a zero, and the statement is finalized
        // by `drop` before the connection is closed.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(
                self.connection,
                sql.as_ptr(),
                -1,
                &raw mut statement,
                null_mut(),
            )
        };
        check_code(code).map(|()| statement)
    }

    /// Answers a call.
    ///
    /// # Safety
    /// `context` and `values` are those of a call that SQLite makes just now, with one value at least.
    unsafe fn answer_call(
        &mut self,
        context: *mut ffi::sqlite3_context,
        values: &[*mut ffi::sqlite3_value],
    ) -> Result<(), c_int> {
        let count = c_int::try_from(values.len()).map_err(|_| ffi::SQLITE_TOOBIG)?;
        let prepared = self.prepared_call(count)?;
        let call = BoundCall::run(prepared.call, values)?;
        // SAFETY: the values are valid during this call.
        let has_format = unsafe { ffi::sqlite3_value_type(values[0]) } != ffi::SQLITE_NULL;
        if call.is_null() && has_format && BoundCall::run(prepared.probe, values)?.is_null() {
            return Err(ffi::SQLITE_TOOBIG);
        }
        // SAFETY: SQLite copies the value, which the statement keeps until it is reset.
        unsafe { ffi::sqlite3_result_value(context, ffi::sqlite3_column_value(call.0, 0)) };
        Ok(())
    }
}

impl Drop for TextFormatter {
    fn drop(&mut self) {
        for call in &self.calls {
            // SAFETY: they are this formatter's alone; SQLite takes a null, too.
            unsafe {
                ffi::sqlite3_finalize(call.call);
                ffi::sqlite3_finalize(call.probe);
            }
        }
        // SAFETY: no statement of it is left; SQLite takes a null, too.
        unsafe { ffi::sqlite3_close(self.connection) };
    }
}

/// A statement that has its row. Dropping it makes the statement ready for the next.
struct BoundCall(*mut ffi::sqlite3_stmt);

impl BoundCall {
    fn run(
        statement: *mut ffi::sqlite3_stmt,
        values: &[*mut ffi::sqlite3_value],
    ) -> Result<BoundCall, c_int> {
        let call = BoundCall(statement);
        for (index, value) in (1..).zip(values) {
            // SAFETY: the statement has as many places as there are values, which are valid while
            // SQLite makes the call that they belong to.
            check_code(unsafe { ffi::sqlite3_bind_value(statement, index, *value) })?;
        }
        // SAFETY: the statement is prepared, and used by this thread alone.
        match unsafe { ffi::sqlite3_step(statement) } {
            ffi::SQLITE_ROW => Ok(call),
            code => Err(code),
        }
    }

    fn is_null(&self) -> bool {
        // SAFETY: the statement stands on a row of one column.
        unsafe { ffi::sqlite3_column_type(self.0, 0) == ffi::SQLITE_NULL }
    }
}

impl Drop for BoundCall {
    fn drop(&mut self) {
        // SAFETY: the statement is prepared. Its arguments may be large, so none is kept.
        unsafe {
            ffi::sqlite3_reset(self.0);
            ffi::sqlite3_clear_bindings(self.0);
        }
    }
}

fn check_code(code: c_int) -> Result<(), c_int> {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(code),
    }
}

unsafe extern "C" fn format_call(
    context: *mut ffi::sqlite3_context,
    count: c_int,
    values: *mut *mut ffi::sqlite3_value,
) {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return;
    }
    // SAFETY: SQLite calls with so many values.
    let values = unsafe { std::slice::from_raw_parts(values, count) };
    // SAFETY: the user data is the formatter that was given at registration. SQLite runs one
    // statement of a connection at a time, and a call makes no other call of this function.
    let formatter = unsafe { &mut *ffi::sqlite3_user_data(context).cast::<TextFormatter>() };
    // SAFETY: both are those of this call.
    if let Err(code) = unsafe { formatter.answer_call(context, values) } {
        // SAFETY: `context` is SQLite's own, valid during this call.
        unsafe {
            if code == ffi::SQLITE_TOOBIG {
                ffi::sqlite3_result_error_toobig(context);
            } else {
                ffi::sqlite3_result_error_code(context, code);
            }
        }
    }
}

unsafe extern "C" fn free_formatter(formatter: *mut std::ffi::c_void) {
    // SAFETY: made by `Box::into_raw` in `add_functions`; SQLite calls this once for it.
    drop(unsafe { Box::from_raw(formatter.cast::<TextFormatter>()) });
}
