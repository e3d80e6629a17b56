//! Configuration and assembly: settings to a running gateway with its doors.
