package pdu

import "fmt"

// Status is a command_status (3.4 §5.1.3, 5.0 §4.7.6). Constants carry the specification's name without ESME_.
type Status uint32

const (
	ROK                Status = 0x00
	RInvMsgLen         Status = 0x01
	RInvCmdLen         Status = 0x02
	RInvCmdID          Status = 0x03
	RInvBndSts         Status = 0x04
	RAlyBnd            Status = 0x05
	RInvPrtFlg         Status = 0x06
	RInvRegDlvFlg      Status = 0x07
	RSysErr            Status = 0x08
	RInvSrcAdr         Status = 0x0A
	RInvDstAdr         Status = 0x0B
	RInvMsgID          Status = 0x0C
	RBindFail          Status = 0x0D
	RInvPaswd          Status = 0x0E
	RInvSysID          Status = 0x0F
	RCancelFail        Status = 0x11
	RReplaceFail       Status = 0x13
	RMsgQFul           Status = 0x14
	RInvSerTyp         Status = 0x15
	RInvNumDests       Status = 0x33
	RInvDLName         Status = 0x34
	RInvDestFlag       Status = 0x40
	RInvSubRep         Status = 0x42
	RInvEsmClass       Status = 0x43
	RCntSubDL          Status = 0x44
	RSubmitFail        Status = 0x45
	RInvSrcTON         Status = 0x48
	RInvSrcNPI         Status = 0x49
	RInvDstTON         Status = 0x50
	RInvDstNPI         Status = 0x51
	RInvSysTyp         Status = 0x53
	RInvRepFlag        Status = 0x54
	RInvNumMsgs        Status = 0x55
	RThrottled         Status = 0x58
	RInvSched          Status = 0x61
	RInvExpiry         Status = 0x62
	RInvDftMsgID       Status = 0x63
	RXTAppn            Status = 0x64
	RXPAppn            Status = 0x65
	RXRAppn            Status = 0x66
	RQueryFail         Status = 0x67
	RInvTLVStream      Status = 0xC0 // 3.4: RINVOPTPARSTREAM
	RTLVNotAllwd       Status = 0xC1 // 3.4: ROPTPARNOTALLWD
	RInvTLVLen         Status = 0xC2 // 3.4: RINVPARLEN
	RMissingTLV        Status = 0xC3 // 3.4: RMISSINGOPTPARAM
	RInvTLVVal         Status = 0xC4 // 3.4: RINVOPTPARAMVAL
	RDeliveryFailure   Status = 0xFE
	RUnknownErr        Status = 0xFF
	RSerTypUnauth      Status = 0x100 // from here on 5.0 peers only
	RProhibited        Status = 0x101
	RSerTypUnavail     Status = 0x102
	RSerTypDenied      Status = 0x103
	RInvDataCoding     Status = 0x104 // RINVDCS
	RInvSrcAddrSubunit Status = 0x105
	RInvDstAddrSubunit Status = 0x106
	RInvBcastFreqInt   Status = 0x107
	RInvBcastAliasName Status = 0x108
	RInvBcastAreaFmt   Status = 0x109
	RInvNumBcastAreas  Status = 0x10A
	RInvBcastCntType   Status = 0x10B
	RInvBcastMsgClass  Status = 0x10C
	RBcastFail         Status = 0x10D
	RBcastQueryFail    Status = 0x10E
	RBcastCancelFail   Status = 0x10F
	RInvBcastRep       Status = 0x110
	RInvBcastSrvGrp    Status = 0x111
	RInvBcastChanInd   Status = 0x112
	statusVendorFirst  Status = 0x400
	statusVendorLast   Status = 0x4FF
)

var statusNames = map[Status]string{
	ROK: "ESME_ROK", RInvMsgLen: "ESME_RINVMSGLEN", RInvCmdLen: "ESME_RINVCMDLEN", RInvCmdID: "ESME_RINVCMDID",
	RInvBndSts: "ESME_RINVBNDSTS", RAlyBnd: "ESME_RALYBND", RInvPrtFlg: "ESME_RINVPRTFLG",
	RInvRegDlvFlg: "ESME_RINVREGDLVFLG", RSysErr: "ESME_RSYSERR", RInvSrcAdr: "ESME_RINVSRCADR",
	RInvDstAdr: "ESME_RINVDSTADR", RInvMsgID: "ESME_RINVMSGID", RBindFail: "ESME_RBINDFAIL",
	RInvPaswd: "ESME_RINVPASWD", RInvSysID: "ESME_RINVSYSID", RCancelFail: "ESME_RCANCELFAIL",
	RReplaceFail: "ESME_RREPLACEFAIL", RMsgQFul: "ESME_RMSGQFUL", RInvSerTyp: "ESME_RINVSERTYP",
	RInvNumDests: "ESME_RINVNUMDESTS", RInvDLName: "ESME_RINVDLNAME", RInvDestFlag: "ESME_RINVDESTFLAG",
	RInvSubRep: "ESME_RINVSUBREP", RInvEsmClass: "ESME_RINVESMCLASS", RCntSubDL: "ESME_RCNTSUBDL",
	RSubmitFail: "ESME_RSUBMITFAIL", RInvSrcTON: "ESME_RINVSRCTON", RInvSrcNPI: "ESME_RINVSRCNPI",
	RInvDstTON: "ESME_RINVDSTTON", RInvDstNPI: "ESME_RINVDSTNPI", RInvSysTyp: "ESME_RINVSYSTYP",
	RInvRepFlag: "ESME_RINVREPFLAG", RInvNumMsgs: "ESME_RINVNUMMSGS", RThrottled: "ESME_RTHROTTLED",
	RInvSched: "ESME_RINVSCHED", RInvExpiry: "ESME_RINVEXPIRY", RInvDftMsgID: "ESME_RINVDFTMSGID",
	RXTAppn: "ESME_RX_T_APPN", RXPAppn: "ESME_RX_P_APPN", RXRAppn: "ESME_RX_R_APPN", RQueryFail: "ESME_RQUERYFAIL",
	RInvTLVStream: "ESME_RINVTLVSTREAM", RTLVNotAllwd: "ESME_RTLVNOTALLWD", RInvTLVLen: "ESME_RINVTLVLEN",
	RMissingTLV: "ESME_RMISSINGTLV", RInvTLVVal: "ESME_RINVTLVVAL", RDeliveryFailure: "ESME_RDELIVERYFAILURE",
	RUnknownErr: "ESME_RUNKNOWNERR", RSerTypUnauth: "ESME_RSERTYPUNAUTH", RProhibited: "ESME_RPROHIBITED",
	RSerTypUnavail: "ESME_RSERTYPUNAVAIL", RSerTypDenied: "ESME_RSERTYPDENIED", RInvDataCoding: "ESME_RINVDCS",
	RInvSrcAddrSubunit: "ESME_RINVSRCADDRSUBUNIT", RInvDstAddrSubunit: "ESME_RINVDSTADDRSUBUNIT",
	RInvBcastFreqInt: "ESME_RINVBCASTFREQINT", RInvBcastAliasName: "ESME_RINVBCASTALIAS_NAME",
	RInvBcastAreaFmt: "ESME_RINVBCASTAREAFMT", RInvNumBcastAreas: "ESME_RINVNUMBCAST_AREAS",
	RInvBcastCntType: "ESME_RINVBCASTCNTTYPE", RInvBcastMsgClass: "ESME_RINVBCASTMSGCLASS",
	RBcastFail: "ESME_RBCASTFAIL", RBcastQueryFail: "ESME_RBCASTQUERYFAIL", RBcastCancelFail: "ESME_RBCASTCANCELFAIL",
	RInvBcastRep: "ESME_RINVBCAST_REP", RInvBcastSrvGrp: "ESME_RINVBCASTSRVGRP",
	RInvBcastChanInd: "ESME_RINVBCASTCHANIND",
}

// String is the specification's name, "ESME_RTHROTTLED", or the number, "0x00000123", for a reserved or vendor value.
func (s Status) String() string {
	if n, ok := statusNames[s]; ok {
		return n
	}
	return fmt.Sprintf("0x%08x", uint32(s))
}

// Vendor reports whether s lies in the block left to vendors (5.0 §4.7.6).
func (s Status) Vendor() bool { return s >= statusVendorFirst && s <= statusVendorLast }
