// One window of VS Code, as a person sees and uses it.
// Invariant: whatever is waited for is something on the screen or on the disk, never a span of time.
import path from 'node:path';

const plain = (text) => text.replace(/\u00a0/g, ' ').trim();

export class Workbench {
  constructor(page, world) {
    this.page = page;
    this.world = world;
  }

  /** Waits until a note is in front. */
  async shows(note) {
    const name = path.basename(note);
    await this.page.locator('.tab.active', { hasText: name }).waitFor();
    await this.page.locator('.editor-instance .view-lines').first().waitFor();
  }

  /** Opens the side view, which the explorer shows closed at first. */
  async showView() {
    const header = this.#view().locator('.pane-header');
    await header.waitFor();
    if ((await header.getAttribute('aria-expanded')) === 'false') {
      await header.click();
    }
  }

  /** Opens a note by its name. */
  async open(note) {
    await this.page.keyboard.press('Control+p');
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.fill(note);
    // What Enter will take; the list before was of notes that were open lately.
    const row = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: path.basename(note) });
    await row.waitFor();
    await this.page.keyboard.press('Enter');
    await this.shows(note);
  }

  /** Closes the note in front. */
  async close() {
    const tab = this.page.locator('.tab.active');
    const name = await tab.getAttribute('data-resource-name');
    await tab.hover();
    await tab.locator('.tab-actions .action-label').click();
    await this.page.locator(`.tab[data-resource-name="${name}"]`).waitFor({ state: 'detached' });
  }

  /** Runs a command of the palette by its name. */
  async command(name) {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget input.input');
    await input.waitFor();
    await input.fill(`>${name}`);
    await this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: name.split(': ').pop() }).waitFor();
    await this.page.keyboard.press('Enter');
  }

  lens(text) {
    return this.page.locator('.codelens-decoration a', { hasText: text });
  }

  /** The lenses on the screen. The editor takes them away for a moment when it draws them anew, so
   *  they are read until two looks agree; none at all is believed after ten seconds. */
  async lenses() {
    const look = async () => (await this.page.locator('.codelens-decoration a').allInnerTexts()).map(plain);
    const end = Date.now() + 10_000;
    let before = await look();
    for (;;) {
      await this.page.waitForTimeout(100);
      const now = await look();
      if ((now.length > 0 && now.join() === before.join()) || Date.now() > end) return now;
      before = now;
    }
  }

  /** A row of the side view. */
  row(text) {
    return this.#view().locator('.monaco-list-row', { hasText: text });
  }

  async rows() {
    const rows = await this.#view().locator('.monaco-list-row').allInnerTexts();
    return rows.map((row) => plain(row.replace(/\s+/g, ' ')));
  }

  /** Presses a button that a row shows under the mouse. */
  async press(row, button) {
    // What a row says when the mouse rests on it lies over the next row until the mouse is elsewhere.
    await this.page.mouse.move(0, 0);
    await this.page.locator('.context-view .hover-contents').first().waitFor({ state: 'hidden' });
    await row.hover();
    await row.locator(`.action-label[aria-label*="${button}"]`).click();
  }

  /** What the view says where it has no rows. */
  welcome() {
    return this.#view().locator('.welcome-view-content');
  }

  async pressInTitle(button) {
    await this.#view().hover();
    await this.#view().locator(`.pane-header .action-label[aria-label*="${button}"]`).click();
  }

  #view() {
    return this.page.locator('.pane').filter({ has: this.page.locator(`.pane-header[aria-label*="${this.world.viewName}"]`) });
  }

  status() {
    return this.page.locator('.statusbar-item[id="gliznet.gliznet.status"]');
  }

  /** Puts the caret behind the end of a line of the note that starts with a text. */
  async caretBehind(text) {
    await this.line(text).first().click();
    await this.page.keyboard.press('End');
  }

  line(text) {
    return this.page.locator('.editor-instance .view-line', { hasText: text });
  }

  async type(text) {
    await this.page.keyboard.type(text);
  }

  /** Gives the text the keyboard. */
  async focusText() {
    await this.page.keyboard.press('Control+1');
  }

  /** Runs a code action at the caret. */
  async act(title, shot) {
    await this.page.keyboard.press('Control+.');
    const action = this.page.locator('.action-widget .monaco-list-row', { hasText: title });
    await action.first().waitFor();
    if (shot) await this.shot(shot);
    await action.first().click();
  }

  /** The completion list, in its order. */
  async complete() {
    await this.page.keyboard.press('Control+Space');
    const rows = this.page.locator('.suggest-widget.visible .monaco-list-row');
    await rows.first().waitFor();
    return (await rows.locator('.label-name').allInnerTexts()).map(plain);
  }

  /** Saves a note that was changed, and gives the file's bytes. */
  async save(note) {
    // An unchanged note would be written too, and be read here while it is.
    await this.page.locator('.tab.active.dirty').waitFor();
    await this.page.keyboard.press('Control+s');
    await this.page.locator('.tab.active.dirty').waitFor({ state: 'detached' });
    return this.world.read(note);
  }

  /** A line of the note, on the screen. */
  async has(text) {
    await this.line(text).first().waitFor();
  }

  async shot(name) {
    if (process.env.GLIZNET_SHOTS) {
      await this.page.screenshot({ path: path.join(process.env.GLIZNET_SHOTS, `${name}.png`) });
    }
  }

  async end() {
    await this.page.context().close();
  }
}
