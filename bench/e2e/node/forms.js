// A third-party ESME that sends the messages of forms.json, long ones in parts, one more to two numbers, and one that it
// asks about, changes and takes back. Prints "accepted", "receipt", "multi", "query", "replace" and "cancel" lines.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const [host, port, systemId, password, prefix, file, mode] = process.argv.slice(2);
const forms = JSON.parse(fs.readFileSync(file));
smpp.PDU.maxLength = 1 << 20;

const fail = (why) => { console.error(why); process.exit(1); };
setTimeout(() => fail('timeout'), 60000);

let waiting = 0; // for receipts
let sending = 0;

const encode = (f) => {
  if (f.octets) return Buffer.from(Array.from({ length: f.octets }, (_, i) => (i * 7) & 0xff));
  const text = f.text.repeat(f.times || 1);
  if (f.coding === 0) return smpp.gsmCoder.encode(text, { doNotEncodeEscape: false });
  return Buffer.from(text, 'utf16le').swap16();
};

// parts are the short_message options of one form: one, or several with a concatenation header.
function parts(f, ref) {
  const octets = encode(f);
  if (f.payload) return [{ message_payload: octets }];
  if (f.udh) return [{ esm_class: 0x40, short_message: Buffer.concat([Buffer.from(f.udh, 'hex'), octets]) }];
  const most = f.coding === 0 ? 160 : 140;
  if (octets.length <= most) return [{ short_message: octets }];
  const size = f.coding === 0 ? 153 : 134;
  const total = Math.ceil(octets.length / size);
  return Array.from({ length: total }, (_, i) => ({
    esm_class: 0x40,
    short_message: Buffer.concat([Buffer.from([5, 0, 3, ref, total, i + 1]), octets.subarray(i * size, (i + 1) * size)]),
  }));
}

const session = smpp.connect({
  host, port: Number(port), tls: mode === 'tls', rejectUnauthorized: false,
}, () => {
  session.bind_transceiver({ system_id: systemId, password }, (resp) => {
    if (resp.command_status !== 0) fail(`bind: ${resp.command_status}`);
    forms.forEach((f, i) => {
      for (const part of parts(f, 0x60 + i)) submit(`${prefix}000000${i}`, { data_coding: f.coding, ...part });
    });
  });
});

const from = { source_addr_ton: 5, source_addr_npi: 0, source_addr: 'npm' };

function submit(to, options) {
  sending++;
  waiting++;
  session.submit_sm({ ...from, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: to, registered_delivery: 1, ...options }, (pdu) => {
    if (pdu.command_status !== 0) fail(`submit_sm to ${to}: ${pdu.command_status}`);
    console.log('accepted', to, pdu.message_id);
    sending--;
    next();
  });
}

function next() {
  if (sending === 0 && waiting === 0) multi();
}

// multi sends one message to two numbers, and then goes on to the message that never leaves.
let multiSent = false;
function multi() {
  if (multiSent) return;
  multiSent = true;
  const dest = (n) => ({ dest_flag: 1, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: `${prefix}000010${n}` });
  session.submit_multi({ ...from, dest_address: [dest(0), dest(1)], short_message: 'to two' }, (pdu) => {
    console.log('multi', pdu.command_status, (pdu.unsuccess_sme || []).length);
    later();
  });
}

function later() {
  const at = new Date(Date.now() + 3600e3);
  session.submit_sm({
    ...from, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: `${prefix}0000200`, short_message: 'later', schedule_delivery_time: at,
  }, (sent) => {
    const about = { ...from, message_id: sent.message_id };
    session.query_sm(about, (q) => {
      console.log('query', q.command_status, q.message_state);
      session.replace_sm({ ...about, short_message: 'even later', schedule_delivery_time: at }, (r) => {
        console.log('replace', r.command_status);
        session.cancel_sm({ ...about, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: `${prefix}0000200` }, (c) => {
          console.log('cancel', c.command_status);
          session.query_sm(about, (last) => {
            console.log('query', last.command_status, last.message_state);
            session.unbind(() => session.close(() => process.exit(0)));
          });
        });
      });
    });
  });
}

session.on('error', (e) => fail(`session: ${e}`));
session.on('enquire_link', (pdu) => session.send(pdu.response()));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  const text = /^id:(\S+) .*stat:(\S+) /.exec(pdu.short_message.message);
  if (!text) fail(`not a receipt: ${JSON.stringify(pdu)}`);
  console.log('receipt', text[1], text[2]);
  waiting--;
  next();
});
