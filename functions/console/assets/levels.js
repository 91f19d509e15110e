// Names of the levels and scopes of API keys.

import { has, t } from './text.js';

/** Levels for new keys, in ascending order. For keys, the levels between them allow no more than the one below. */
const LEVELS = [0, 1, 2, 3, 4, 5, 6, 8, 9];

/** The level of each role. */
const ROLES = { readNone: 0, readSome: 1, readOnly: 2, writeSome: 3, user: 4, tester: 4, curator: 5, bughunter: 6, support: 8, admin: 9 };

/** Roles that an account can have, and the one that blocks it. */
export const ROLE_NAMES = [...Object.keys(ROLES), 'blocked'];

/** Scopes that do not belong to a single set. */
export const SCOPES = ['sets:read', 'sets:write', 'patterns:read', 'patterns:write', 'account:read'];

/** The levels that an account of that role can give to a key: `[level, name, explanation]`. */
export function levelsFor(role) {
  return LEVELS.filter((level) => level <= (ROLES[role] ?? 0)).map((level) => [String(level), t(`level.${level}`), t(`level.${level}.hint`)]);
}

/** The name of the level. */
export const levelName = (level) => t(`level.${level}`);

/** The name of the role. A role of an older installation has no translation. */
export const roleName = (role) => (has(`role.${role}`) ? t(`role.${role}`) : role);

/** The restrictions of a key within its level. */
export function scopesInWords(scopes, sets = []) {
  if (!scopes) return [t('scope.all')];
  return scopes.map((scope) => {
    const uuid = scope.match(/^set:(.+):read$/)?.[1];
    if (!uuid) return t(`scope.${scope}`);
    return t('scope.set', { name: sets.find((set) => set.uuid === uuid)?.name ?? uuid });
  });
}
