// The page that renders a component of FreeSewing, and hands its backend to the tests.

import React, { useContext, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { BackendContextProvider } from '@freesewing/react/context/Backend';
import { LoadingStatusContext, LoadingStatusContextProvider } from '@freesewing/react/context/LoadingStatus';
import { ModalContext, ModalContextProvider } from '@freesewing/react/context/Modal';
import { useBackend } from '@freesewing/react/hooks/useBackend';
import * as account from '@freesewing/react/components/Account';
import * as admin from '@freesewing/react/components/Admin';
import * as curatedSet from '@freesewing/react/components/CuratedSet';
import * as editor from '@freesewing/react/components/Editor';
import * as input from '@freesewing/react/components/Input';
import * as newsletter from '@freesewing/react/components/Newsletter';
import * as profile from '@freesewing/react/components/Profile';
import * as publicPattern from '@freesewing/react/components/PublicPattern';
import * as role from '@freesewing/react/components/Role';
import * as signIn from '@freesewing/react/components/SignIn';
import * as signUp from '@freesewing/react/components/SignUp';
import * as stats from '@freesewing/react/components/Stats';

/** The groups of components, by their folder in the package. Some names are in two of them. */
const COMPONENTS = {
  Account: account,
  Admin: admin,
  CuratedSet: curatedSet,
  Editor: editor,
  Input: input,
  Newsletter: newsletter,
  Profile: profile,
  PublicPattern: publicPattern,
  Role: role,
  SignIn: signIn,
  SignUp: signUp,
  Stats: stats,
};
const h = React.createElement;

function Backend() {
  const backend = useBackend();
  useEffect(() => {
    globalThis.backend = backend;
  });
  return null;
}

function Status() {
  const { LoadingStatus } = useContext(LoadingStatusContext);
  const { modalContent } = useContext(ModalContext);
  return h('div', null, h('div', { id: 'status' }, h(LoadingStatus)), h('div', { id: 'modal' }, modalContent));
}

/** A field that keeps its value, as the pages around an input do. */
function Field({ of, ...properties }) {
  const [value, setValue] = React.useState('');
  return h('div', null, h(of, { ...properties, current: value, original: '', valid: () => true, update: setValue }), h('output', null, String(value)));
}

const root = createRoot(document.getElementById('root'));

/** Renders a component, for example `Account/Set`, with these properties. */
globalThis.show = (name, properties, isField) => {
  const [group, exported] = name.split('/');
  const component = COMPONENTS[group]?.[exported];
  if (!component) throw new Error(`there is no component ${name}`);
  const content = isField ? h(Field, { of: component, ...properties }) : h(component, properties);
  const around = [BackendContextProvider, { url: globalThis.API }];
  root.render(h(...around, h(LoadingStatusContextProvider, null, h(ModalContextProvider, null, h(Backend), h(Status), h('main', { key: Math.random() }, content)))));
};
globalThis.ready = true;
