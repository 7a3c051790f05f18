// A third-party ESME: binds as transceiver, sends COUNT messages of several forms and waits for a receipt of
// each. Prints "accepted TO ID" and "receipt ID STAT" lines; exits 0 once all receipts are there.
'use strict';
const smpp = require('smpp');

const [host, port, systemId, password, prefix, count] = process.argv.slice(2);
const total = Number(count);
const waiting = new Set();
const early = new Set(); // receipts that overtook their submit_sm_resp
let answered = 0;

const fail = (why) => { console.error(why); process.exit(1); };
setTimeout(() => fail(`timeout: ${answered} of ${total} answered, ${waiting.size} receipts missing`), 30000);

// Four forms in turn: plain, UCS-2, one part of a concatenation, message_payload.
function form(i) {
  switch (i % 4) {
    case 1: return { data_coding: 8, short_message: `Grüße Ω ${i}` };
    case 2: return { esm_class: 0x40, short_message: { udh: Buffer.from([5, 0, 3, i & 0xff, 2, 1]), message: `first half of ${i}` } };
    case 3: return { short_message: '', message_payload: { message: `payload ${i} `.repeat(20) } };
    default: return { short_message: `message ${i} from npm` };
  }
}

const session = smpp.connect({ host, port: Number(port) }, () => {
  session.bind_transceiver({ system_id: systemId, password }, (resp) => {
    if (resp.command_status !== 0) fail(`bind: ${resp.command_status}`);
    for (let i = 0; i < total; i++) {
      const to = prefix + String(i).padStart(7, '0');
      session.submit_sm({
        source_addr_ton: 5, source_addr: 'npm', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: to,
        registered_delivery: 1, ...form(i),
      }, (pdu) => {
        if (pdu.command_status !== 0) fail(`submit_sm to ${to}: ${pdu.command_status}`);
        console.log('accepted', to, pdu.message_id);
        answered++;
        if (!early.delete(pdu.message_id)) waiting.add(pdu.message_id);
        finish();
      });
    }
  });
});

function finish() {
  if (answered < total || waiting.size > 0) return;
  session.unbind(() => session.close(() => process.exit(0)));
}

session.on('error', (e) => fail(`session: ${e}`));
session.on('enquire_link', (pdu) => session.send(pdu.response()));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  const text = /^id:(\S+) .*stat:(\S+) /.exec(pdu.short_message.message);
  if (!text) fail(`not a receipt: ${JSON.stringify(pdu)}`);
  if (pdu.receipted_message_id && pdu.receipted_message_id !== text[1]) {
    fail(`receipt text names ${text[1]}, its TLV ${pdu.receipted_message_id}`);
  }
  console.log('receipt', text[1], text[2]);
  if (!waiting.delete(text[1])) early.add(text[1]);
  finish();
});
