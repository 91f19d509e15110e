// The words of the page, in the reader's language.

import { onDevice } from './store.js';

/** The languages, each in its own. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  es: 'Español',
  fr: 'Français',
  nl: 'Nederlands',
  uk: 'Українська',
};

const STORED = 'bespoke.language';
let words = {};
let current = 'en';

/** The language that is spoken now. */
export const language = () => current;

/** The language to begin with: the one chosen before, or the first of the browser's that there is. */
export function preferred() {
  const wanted = [onDevice.get(STORED), ...navigator.languages.map((code) => code.slice(0, 2))];
  return wanted.find((code) => code in LANGUAGES) ?? 'en';
}

/** Speaks a language from now on. */
export async function speak(code) {
  const answer = await fetch(new URL(`text/${code}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`no texts in ${code}`);
  words = await answer.json();
  current = code;
  document.documentElement.lang = code;
}

/** The same, and remembers it. */
export async function choose(code) {
  await speak(code);
  onDevice.set(STORED, code);
}

/** Whether somebody has chosen a language on this device. */
export const isChosen = () => onDevice.get(STORED) in LANGUAGES;

/** The words of a key, with values in the place of `{name}`. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there are words of that key. */
export const has = (key) => key in words;

/** The reader's own form of the language: dates of British readers are not those of American ones. */
const locale = () => navigator.languages.find((code) => code.split('-')[0] === current) ?? current;

/** A point in time as the reader writes it. */
export function when(time) {
  if (!time) return t('never');
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));
}

/** A day as the reader writes it. */
export function day(time) {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(new Date(time));
}

/** A number as the reader writes it. */
export function number(value) {
  return new Intl.NumberFormat(locale()).format(value);
}

/** Several things in one sentence. */
export function list(items) {
  return new Intl.ListFormat(locale(), { type: 'conjunction' }).format(items);
}

/** What somebody reads when a call fails. */
export function sentence(error) {
  const known = has(`error.${error.code}`);
  return known ? t(`error.${error.code}`, { seconds: error.retryAfter ?? 60 }) : t('error.unknown', { code: error.code });
}
