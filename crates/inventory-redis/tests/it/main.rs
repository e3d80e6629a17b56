//! The inventory with a real Redis on this machine.

mod inventory;
