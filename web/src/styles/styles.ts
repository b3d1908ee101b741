import { base } from './base.js';
import { frame } from './frame.js';
import { rows } from './rows.js';
import { states } from './states.js';
import { panel } from './panel.js';
import { overlays } from './overlays.js';

/** The look of a feed; a later part overrides an earlier one. */
export const styles = [base, frame, rows, states, panel, overlays];
