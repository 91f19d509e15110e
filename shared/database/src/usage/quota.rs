//! Daily quotas of API keys, shared by all processes: `Reservations` are the calls that a process may still serve.
//!
//! Processes report the requests that they served in batches, so late (see [`crate::usage`]). This delay does not
//! matter far below the quota. Near the quota, and always if the quota is small, a process reserves requests in the
//! database before it serves them: one at first, then blocks that double in size. So a busy process writes rarely, and
//! an idle one reserves few requests. The report of served requests reduces the reservation. If the process dies, the
//! reservation expires.

use bespoke_core::Timestamp;
use hashbrown::HashMap;
use uuid::Uuid;

use super::calls::column_of;
use crate::connection::Db;
use crate::day::day_of;
use crate::error::Result;

/// The lifetime of a reservation, in milliseconds. It exceeds the delay of reports.
const RESERVED_MS: i64 = 15 * 60 * 1000;
/// A reservation is at most the quota divided by this number.
const BLOCKS_PER_QUOTA: u64 = 100;
/// The largest quota, in requests per day, whose requests are all reserved. One key makes that many requests in about
/// two minutes.
const ALWAYS_RESERVED: u64 = 2_400;
/// The quota divided by this number is served without reservations.
const FREE_DIVISOR: u64 = 2;

/// The quota of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyQuota {
    /// Integer id of the owner.
    pub user_id: i64,
    /// The key.
    pub key: Uuid,
    /// Requests per day (UTC).
    pub calls: u64,
}

/// Requests that a process has reserved and not served yet, by key and day.
#[derive(Default)]
pub(super) struct Reservations(HashMap<(Uuid, i64), Reservation>);

struct Reservation {
    /// The quota at the time of the reservation.
    quota: u64,
    /// Reserved requests that have not been served.
    left: u64,
    /// Requests of the quota that no process has reserved or served.
    unreserved: u64,
    /// The end of the reservation.
    until: Timestamp,
    /// Size of the last reservation.
    block: u64,
    /// Requests that were served and not reported yet.
    unreported: i64,
}

/// A reservation to make.
#[derive(Debug, Clone, Copy)]
pub struct NewReservation {
    quota: KeyQuota,
    /// Requests to reserve.
    block: u64,
    /// Requests that were reserved under another quota and are returned.
    returned: u64,
    /// Requests that were served without a reservation and not reported yet.
    uncovered: u64,
    now: Timestamp,
}

impl Reservations {
    /// Marks all served requests as reported.
    pub(super) fn mark_reported(&mut self) {
        self.0.values_mut().for_each(|reservation| reservation.unreported = 0);
    }

    /// Takes one request out of a reservation. Returns the number of requests left of the quota; `None` if none is
    /// reserved.
    pub(super) fn take(&mut self, quota: &KeyQuota, now: Timestamp) -> Option<u64> {
        let reservation = self.0.get_mut(&(quota.key, day_of(now)))?;
        if reservation.quota != quota.calls || reservation.left == 0 || reservation.until <= now {
            return None;
        }
        reservation.left -= 1;
        reservation.unreported += 1;
        Some(reservation.left + reservation.unreserved)
    }

    /// Returns the next reservation to make for a key that has `counted` requests in memory. Requests that were served
    /// without a reservation become part of it.
    pub(super) fn next(&mut self, quota: KeyQuota, counted: i64, now: Timestamp) -> NewReservation {
        self.0.retain(|_, reservation| reservation.until > now);
        let reservation = self.0.entry((quota.key, day_of(now))).or_insert(Reservation {
            quota: quota.calls,
            left: 0,
            unreserved: 0,
            until: now.plus_ms(RESERVED_MS),
            block: 0,
            unreported: 0,
        });
        let uncovered = (counted - reservation.unreported).max(0);
        reservation.unreported += uncovered;
        let max_block = (quota.calls / BLOCKS_PER_QUOTA).max(1);
        let returned = if reservation.quota == quota.calls {
            0
        } else {
            std::mem::take(&mut reservation.left)
        };
        NewReservation {
            quota,
            block: (reservation.block * 2).clamp(1, max_block),
            returned,
            uncovered: uncovered.unsigned_abs(),
            now,
        }
    }

    /// Records a granted reservation and serves one request of it. Returns the number of requests left of the quota;
    /// `None` if none was granted.
    pub(super) fn record(&mut self, request: NewReservation, (granted, unreserved): (u64, u64)) -> Option<u64> {
        let NewReservation { quota, now, .. } = request;
        let reservation = self.0.get_mut(&(quota.key, day_of(now)))?;
        reservation.left = (reservation.left + granted).checked_sub(1)?;
        reservation.quota = quota.calls;
        reservation.unreserved = unreserved;
        reservation.block = granted;
        reservation.until = now.plus_ms(RESERVED_MS);
        reservation.unreported += 1;
        Some(reservation.left + unreserved)
    }
}

/// Returns whether requests must be reserved, if `made` requests are known.
pub fn is_near(quota: u64, made: u64) -> bool {
    quota <= ALWAYS_RESERVED || made >= quota / FREE_DIVISOR
}

/// Returns the number of requests of a key on that day that are counted or reserved in the database.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn made(db: &Db<'_>, quota: &KeyQuota, now: Timestamp) -> Result<u64> {
    let KeyQuota { user_id, key, calls } = *quota;
    let day = day_of(now);
    // Far below the quota, expired reservations do not matter.
    let read = || Ok(Some(read_made(db, quota, day, Timestamp::from_millis(0))?));
    let at_most = db.cached(|cache| &cache.calls, (user_id, key, day), read)?;
    let at_most = at_most.map_or(0, |made| made.unsigned_abs());
    if is_near(calls, at_most) {
        Ok(read_made(db, quota, day, now)?.unsigned_abs())
    } else {
        Ok(at_most)
    }
}

/// Reserves requests. Returns the number granted, which is limited by the rest of the quota, and the number left
/// afterwards.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn reserve(db: &Db<'_>, request: NewReservation) -> Result<(u64, u64)> {
    let NewReservation { quota, now, .. } = request;
    let day = day_of(now);
    let made = read_made(db, &quota, day, now)?.unsigned_abs();
    let made = made.saturating_sub(request.returned) + request.uncovered;
    let granted = request.block.min(quota.calls.saturating_sub(made));
    if granted == 0 {
        return Ok((0, 0));
    }
    let signed = |calls: u64| i64::try_from(calls).unwrap_or(i64::MAX);
    db.run(
        "INSERT INTO usage (user_id, key, day, calls, refused, reserved, reserved_until) VALUES (?1, ?2, ?3, 0, 0, ?4, ?6)
         ON CONFLICT DO UPDATE SET
           reserved = max(0, iif(reserved_until > ?7, reserved, 0) - ?5) + ?4,
           reserved_until = max(reserved_until, ?6)",
        (
            quota.user_id,
            column_of(Some(quota.key)),
            day,
            signed(granted + request.uncovered),
            signed(request.returned),
            now.plus_ms(RESERVED_MS).as_millis(),
            now.as_millis(),
        ),
    )?;
    // The cached number is invalidated by a change of the account's row (see `cache`).
    db.run("UPDATE users SET quota = quota WHERE id = ?1", [quota.user_id])?;
    Ok((granted, quota.calls - made - granted))
}

fn read_made(db: &Db<'_>, quota: &KeyQuota, day: i64, now: Timestamp) -> Result<i64> {
    let made = db.first(
        "SELECT calls + iif(reserved_until > ?4, reserved, 0) FROM usage WHERE user_id = ?1 AND key = ?2 AND day = ?3",
        (quota.user_id, column_of(Some(quota.key)), day, now.as_millis()),
        |_, row| Ok(row.take()?),
    )?;
    Ok(made.unwrap_or(0))
}
