import { LitElement } from 'lit';
import { property } from 'lit/decorators.js';
import type { TokenSource } from '../api/client.js';
import type { Tab } from '../text/words.js';

/** What a host page sets on a feed, as attributes or properties. */
export class FeedAttributes extends LitElement {
  /** The address of the API, such as https://activity.example.com/v1. */
  @property() src = 'v1';
  @property() account = '';
  @property() contact = '';
  /** Another record by its type and id: opportunity:d_77. */
  @property() record = '';
  /** The tab that is open first. */
  @property() tab: Tab = 'all';
  /** The language: en or de; else the browser's. */
  @property() locale = '';
  /** The time zone by its IANA name; else the browser's. */
  @property() tz = '';
  /** Where records are looked at: https://crm.example.com/{type}s/{id}. */
  @property({ attribute: 'record-url' }) recordUrl = '';
  /** The page that shows the whole feed, which links lead to. */
  @property() page = '';
  @property() heading = '';
  /** Whether the page's address holds the filters and the open event. */
  @property({ type: Boolean }) address = false;
  /** Whether notes and calls cannot be written here. */
  @property({ type: Boolean, attribute: 'read-only' }) readOnly = false;
  /** A bearer token, or a function that returns one: for pages of another site. */
  @property({ attribute: false }) token: TokenSource;
  /** The CSRF token of a cookie session. */
  @property({ attribute: false }) csrf: string | null = null;
}
