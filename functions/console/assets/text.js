// The texts of the page, in the user's language.

import { onDevice } from './store.js';

/** The languages, by their own names. */
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

/** The current language. */
export const language = () => current;

/** The initial language: the stored choice, or the first supported language of the browser. */
export function preferred() {
  const wanted = [onDevice.get(STORED), ...navigator.languages.map((code) => code.slice(0, 2))];
  return wanted.find((code) => code in LANGUAGES) ?? 'en';
}

/** Changes the language. */
export async function speak(code) {
  const answer = await fetch(new URL(`text/${code}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`no texts in ${code}`);
  words = await answer.json();
  current = code;
  document.documentElement.lang = code;
}

/** Changes the language, and stores the choice. */
export async function choose(code) {
  await speak(code);
  onDevice.set(STORED, code);
}

/** Whether a choice of the language is stored on this device. */
export const isChosen = () => onDevice.get(STORED) in LANGUAGES;

/** The text of a key, with values in place of `{name}`. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether a key has a text. */
export const has = (key) => key in words;

/** The user's variant of the language, because British and American dates differ. */
const locale = () => navigator.languages.find((code) => code.split('-')[0] === current) ?? current;

/** A time in the user's format. */
export function when(time) {
  if (!time) return t('never');
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(time));
}

/** A day in the user's format. */
export function day(time) {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(new Date(time));
}

/** A number in the user's format. */
export function number(value) {
  return new Intl.NumberFormat(locale()).format(value);
}

/** A list in a sentence. */
export function list(items) {
  return new Intl.ListFormat(locale(), { type: 'conjunction' }).format(items);
}

/** The message for a failed call. */
export function sentence(error) {
  const known = has(`error.${error.code}`);
  return known ? t(`error.${error.code}`, { seconds: error.retryAfter ?? 60 }) : t('error.unknown', { code: error.code });
}
