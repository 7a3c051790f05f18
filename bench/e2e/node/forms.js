// A third-party ESME that does what doc.go lists: sends the messages of forms.json, long ones in parts, one to several
// destinations at once, changes one and takes one back, and prints what it is told (doc.go has the lines).
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const [host, port, systemId, password, prefix, file, mode] = process.argv.slice(2);
const forms = JSON.parse(fs.readFileSync(file));
smpp.PDU.maxLength = 1 << 20;

const fail = (why) => { console.error(why); process.exit(1); };
setTimeout(() => fail(`timeout: ${unreceived} receipts and ${unheard} messages of phones missing`), 60000);

let unreceived = 0; // receipts
let unheard = 3; // messages of phones
let asked = 3; // chains of requests that have not come to their end

const encode = (f) => {
  if (f.octets) return Buffer.from(Array.from({ length: f.octets }, (_, i) => (i * 7) & 0xff));
  const text = f.text.repeat(f.times || 1);
  if (f.coding === 0) return smpp.gsmCoder.encode(text, { doNotEncodeEscape: false });
  return Buffer.from(text, 'utf16le').swap16();
};

// parts are the options of one form: one, or several with a concatenation header or with sar_* TLVs.
function parts(f, ref) {
  const octets = encode(f);
  if (f.payload) return [{ message_payload: octets }];
  if (f.udh) return [{ esm_class: 0x40, short_message: Buffer.concat([Buffer.from(f.udh, 'hex'), octets]) }];
  const most = f.coding === 0 ? 160 : 140;
  if (octets.length <= most) return [{ short_message: octets }];
  const size = f.coding === 0 ? 153 : 134;
  const total = Math.ceil(octets.length / size);
  return Array.from({ length: total }, (_, i) => {
    const piece = octets.subarray(i * size, (i + 1) * size);
    if (f.sar) return { sar_msg_ref_num: ref, sar_total_segments: total, sar_segment_seqnum: i + 1, short_message: piece };
    return { esm_class: 0x40, short_message: Buffer.concat([Buffer.from([5, 0, 3, ref, total, i + 1]), piece]) };
  });
}

const from = { source_addr_ton: 5, source_addr_npi: 0, source_addr: 'npm' };
const dest = (n) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: prefix + String(n).padStart(7, '0') });

const session = smpp.connect({
  host, port: Number(port), tls: mode === 'tls', rejectUnauthorized: false,
}, () => {
  session.bind_transceiver({ system_id: systemId, password }, (resp) => {
    if (resp.command_status !== 0) fail(`bind: ${resp.command_status}`);
    forms.forEach((f, i) => {
      for (const part of parts(f, 0x60 + i)) submit(dest(i), { data_coding: f.coding, ...part });
    });
    submit(dest(900), { short_message: 'call me' });
    multi();
    change();
    withdraw();
  });
});

function submit(to, options) {
  unreceived++;
  session.submit_sm({ ...from, ...to, registered_delivery: 1, ...options }, (pdu) => {
    if (pdu.command_status !== 0) fail(`submit_sm to ${to.destination_addr}: ${pdu.command_status}`);
    console.log('accepted', to.destination_addr, pdu.message_id);
    finish();
  });
}

// multi sends to two numbers, one without a route and a distribution list.
function multi() {
  unreceived += 2;
  const address = (a) => ({ dest_flag: 1, ...a });
  const dests = [address(dest(1000)), address({ ...dest(0), destination_addr: '4420123456' }), address(dest(1001)), { dl_name: 'friends' }];
  session.submit_multi({ ...from, dest_address: dests, registered_delivery: 1, short_message: 'to several' }, (pdu) => {
    const failed = (pdu.unsuccess_sme || []).map((u) => `${u.destination_addr}:${u.error_status_code}`);
    console.log('multi', pdu.command_status, pdu.message_id, failed.join(','));
    asked--;
    finish();
  });
}

const inAnHour = () => new Date(Date.now() + 3600e3);

function change() {
  unreceived++;
  session.submit_sm({ ...from, ...dest(2000), short_message: 'later', schedule_delivery_time: inAnHour() }, (sent) => {
    const about = { ...from, message_id: sent.message_id };
    session.query_sm(about, (q) => {
      console.log('query', q.command_status, q.message_state);
      const soon = new Date(Date.now() + 1000);
      session.replace_sm({ ...about, short_message: 'sooner', registered_delivery: 1, schedule_delivery_time: soon }, (r) => {
        console.log('replace', r.command_status);
        asked--;
        finish();
      });
    });
  });
}

function withdraw() {
  session.submit_sm({ ...from, ...dest(2001), short_message: 'never', schedule_delivery_time: inAnHour() }, (sent) => {
    const about = { ...from, message_id: sent.message_id };
    session.cancel_sm({ ...about, ...dest(2001) }, (c) => {
      console.log('cancel', c.command_status);
      session.cancel_sm({ ...about, ...dest(2001) }, (again) => {
        console.log('cancel', again.command_status);
        session.query_sm(about, (q) => {
          console.log('query', q.command_status, q.message_state);
          session.query_sm({ ...about, message_id: 'nobody-gave-this' }, (none) => {
            console.log('query', none.command_status);
            asked--;
            finish();
          });
        });
      });
    });
  });
}

function finish() {
  if (unreceived === 0 && unheard === 0 && asked === 0) session.unbind(() => session.close(() => process.exit(0)));
}

session.on('error', (e) => fail(`session: ${e}`));
session.on('enquire_link', (pdu) => session.send(pdu.response()));
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  const m = pdu.short_message;
  if ((pdu.esm_class & 0x3c) === 4) {
    const text = /^id:(\S+) .*stat:(\S+) /.exec(m.message);
    if (!text) fail(`not a receipt: ${JSON.stringify(pdu)}`);
    console.log('receipt', text[1], text[2], pdu.source_addr, pdu.destination_addr);
    unreceived--;
  } else {
    const header = m.udh ? Buffer.concat([Buffer.from([Buffer.concat(m.udh).length]), ...m.udh]) : Buffer.alloc(0);
    const body = Buffer.concat([header, Buffer.from(m.message)]);
    console.log('mobile', pdu.source_addr, pdu.destination_addr, pdu.data_coding, body.toString('hex'));
    unheard--;
  }
  finish();
});
