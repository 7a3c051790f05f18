// Reads PDUs in hex, one a line, and prints how npm smpp sees each: its command, its fields, and what it writes again.
// Filters, which turn octets into text and times, are switched off: what is compared is the wire.
'use strict';
const smpp = require(require('path').resolve(process.argv[2]));
smpp.PDU.prototype._filter = () => {};

const octets = (v) => {
  if (Buffer.isBuffer(v)) return v.toString('hex');
  if (typeof v === 'number') return Buffer.from([v]).toString('hex');
  return Buffer.from(String(v), 'latin1').toString('hex');
};

for (const line of require('fs').readFileSync(0, 'latin1').trim().split('\n')) {
  const seen = { fields: {} };
  try {
    const p = new smpp.PDU(Buffer.from(line, 'hex'));
    seen.command = p.command;
    for (const name of Object.keys(smpp.commands[p.command].params || {})) {
      if (name in p && !Array.isArray(p[name])) seen.fields[name] = octets(p[name]);
    }
    seen.again = p.toBuffer().toString('hex');
  } catch (e) {
    seen.error = String(e);
  }
  console.log(JSON.stringify(seen));
}
