// SPDX-License-Identifier: Apache-2.0
//! The venue's answer to a request on a socket: subscribe, login, ping, and orders sent over
//! Bybit's trade socket or Binance's WebSocket API. The result itself stays JSON text: it has the
//! shape of the REST answer, and whoever asked knows which. Limits are read here, because every
//! answer carries them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::frame::Frame;
use super::json::read;
use super::scalar::{id_text, Id, MaybeStamp, Text};
use crate::error::Result;

/// How much of one limit is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitState<'a> {
    /// The venue's name of it; empty for Bybit's limit of the endpoint just called.
    pub name: Cow<'a, str>,
    /// Length of its window in seconds; 0 when the venue does not say.
    pub window_s: u64,
    /// Requests or weight allowed in the window.
    pub limit: u64,
    /// Used in the window.
    pub used: u64,
    /// When it is free again (Bybit).
    pub reset_ns: Option<i64>,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The request was accepted.
    pub is_ok: bool,
    /// The request's id as text, when the venue echoes one.
    pub id: Option<Cow<'a, str>>,
    /// Bybit's `op`.
    pub operation: Option<Cow<'a, str>>,
    /// The venue's code: 0 when it is fine, `None` when it sends no code.
    pub code: Option<i64>,
    /// The venue's words, empty when it has none.
    pub message: Cow<'a, str>,
    /// Status as in HTTP (Binance's WebSocket API).
    pub status: Option<u16>,
    /// The venue's id of the order the answer is about.
    pub exchange_order_id: Option<Cow<'a, str>>,
    /// The owner's id of that order.
    pub client_order_id: Option<Cow<'a, str>>,
    /// The result as JSON text.
    pub result: Option<&'a str>,
    /// Bybit's `retExtInfo` as JSON text: the codes of a batch.
    pub extra: Option<&'a str>,
    /// Limits as they stand.
    pub limits: Vec<LimitState<'a>>,
}

/// The two ids of an order inside a result of either venue.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct OrderIds<'a> {
    #[serde(borrow)]
    order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    order_link_id: Option<&'a RawValue>,
    /// On a cancel of Binance spot `clientOrderId` names the cancel.
    #[serde(borrow)]
    orig_client_order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    client_order_id: Option<&'a RawValue>,
    #[serde(borrow)]
    algo_id: Option<&'a RawValue>,
    #[serde(borrow)]
    client_algo_id: Option<&'a RawValue>,
}

impl<'a> Reply<'a> {
    /// Keep the result, and the ids of its order if it has one.
    fn set_result(&mut self, result: &'a RawValue) {
        self.result = Some(result.get());
        let ids: OrderIds<'a> = serde_json::from_str(result.get()).unwrap_or_default();
        let text = |raw: Option<&'a RawValue>| raw.and_then(id_text).filter(|id| !id.is_empty());
        self.exchange_order_id = text(ids.order_id).or_else(|| text(ids.algo_id));
        self.client_order_id = text(ids.order_link_id)
            .or_else(|| text(ids.orig_client_order_id))
            .or_else(|| text(ids.client_order_id))
            .or_else(|| text(ids.client_algo_id));
    }
}

/// Two dialects: `success` and `ret_msg` on streams, `retCode` and `retMsg` on the trade socket.
#[derive(Deserialize)]
struct BybitReply<'a> {
    #[serde(borrow, default)]
    op: Option<Text<'a>>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(borrow, default)]
    ret_msg: Option<Text<'a>>,
    #[serde(rename = "retCode", default)]
    code: Option<i64>,
    #[serde(rename = "retMsg", borrow, default)]
    message: Option<Text<'a>>,
    #[serde(rename = "reqId", borrow, default)]
    request: Option<Id<'a>>,
    #[serde(borrow, default)]
    req_id: Option<Id<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(rename = "retExtInfo", borrow, default)]
    extra: Option<&'a RawValue>,
    #[serde(borrow, default)]
    header: Option<BybitHeader<'a>>,
}

/// Read an answer of a Bybit socket.
pub(super) fn bybit_reply(frame: &[u8]) -> Result<Frame<'_>> {
    let wire: BybitReply<'_> = read(frame, "reply")?;
    if wire.op.is_none() && wire.success.is_none() && wire.code.is_none() {
        return Ok(Frame::Ignored(Cow::Borrowed("unnamed")));
    }
    let mut reply = Reply {
        is_ok: wire.success.unwrap_or(true) && wire.code.unwrap_or(0) == 0,
        id: wire.request.or(wire.req_id).map(|id| id.0).filter(|id| !id.is_empty()),
        operation: wire.op.map(|text| text.0),
        code: wire.code,
        message: wire.message.or(wire.ret_msg).map_or(Cow::Borrowed(""), |text| text.0),
        extra: wire.extra.map(RawValue::get),
        limits: wire.header.map(|header| header.limits()).unwrap_or_default(),
        ..Reply::default()
    };
    if let Some(data) = wire.data {
        reply.set_result(data);
    }
    Ok(Frame::Reply(Box::new(reply)))
}

/// Bybit's `header`: the limit of the endpoint that was called.
#[derive(Deserialize)]
struct BybitHeader<'a> {
    #[serde(rename = "X-Bapi-Limit", borrow, default)]
    limit: Option<Text<'a>>,
    #[serde(rename = "X-Bapi-Limit-Status", borrow, default)]
    left: Option<Text<'a>>,
    #[serde(rename = "X-Bapi-Limit-Reset-Timestamp", default)]
    reset: MaybeStamp,
}

impl BybitHeader<'_> {
    fn limits(&self) -> Vec<LimitState<'static>> {
        let count = |text: &Option<Text<'_>>| text.as_ref().and_then(|text| text.0.parse().ok());
        let (Some(limit), Some(left)) = (count(&self.limit), count(&self.left)) else {
            return Vec::new();
        };
        vec![LimitState {
            name: Cow::Borrowed(""),
            window_s: 0,
            limit,
            used: u64::saturating_sub(limit, left),
            reset_ns: self.reset.0,
        }]
    }
}

#[derive(Deserialize)]
struct BinanceReply<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<BinanceError<'a>>,
    #[serde(default)]
    code: Option<i64>,
    #[serde(borrow, default)]
    msg: Option<Text<'a>>,
    #[serde(rename = "rateLimits", borrow, default)]
    limits: Vec<BinanceLimit<'a>>,
}

/// Streams answer with `result` or `code` and `msg`, the WebSocket API with `status`.
pub(super) fn binance_reply(data: &[u8]) -> Result<Frame<'_>> {
    let wire: BinanceReply<'_> = read(data, "reply")?;
    let (code, message) = match wire.error {
        Some(error) => (Some(error.code), Some(error.msg)),
        None => (wire.code, wire.msg),
    };
    let is_ok = match (code, wire.status) {
        // Stream errors count from 0; `{"code": 200}` is how a request says that it is done.
        (Some(code), _) => code == 200,
        (None, Some(status)) => status < 400,
        (None, None) => true,
    };
    let mut reply = Reply {
        is_ok,
        id: wire.id.and_then(id_text),
        code,
        message: message.map_or(Cow::Borrowed(""), |text| text.0),
        status: wire.status,
        limits: wire.limits.into_iter().map(BinanceLimit::state).collect(),
        ..Reply::default()
    };
    if let Some(result) = wire.result {
        reply.set_result(result);
    }
    Ok(Frame::Reply(Box::new(reply)))
}

/// One of Binance's `rateLimits`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BinanceLimit<'a> {
    #[serde(borrow)]
    rate_limit_type: Text<'a>,
    #[serde(borrow)]
    interval: Text<'a>,
    interval_num: u64,
    limit: u64,
    #[serde(default)]
    count: u64,
}

impl<'a> BinanceLimit<'a> {
    fn state(self) -> LimitState<'a> {
        let unit_s = match self.interval.0.as_ref() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => 0,
        };
        LimitState {
            name: self.rate_limit_type.0,
            window_s: self.interval_num.saturating_mul(unit_s),
            limit: self.limit,
            used: self.count,
            reset_ns: None,
        }
    }
}

/// Binance's error object.
#[derive(Deserialize)]
struct BinanceError<'a> {
    code: i64,
    #[serde(borrow)]
    msg: Text<'a>,
}
