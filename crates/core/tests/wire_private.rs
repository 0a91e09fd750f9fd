// SPDX-License-Identifier: Apache-2.0
//! Private frames and replies of both venues: the same fields, exact texts, ids as text, and no
//! default for a word that HEAN does not know. The documented examples are read by Python's tests.

#![allow(clippy::unwrap_used, clippy::panic)]

use hean_core::order::{OrderType, State, TimeInForce};
use hean_core::wire::account::{Cause, Execution, Leg, OrderUpdate, Private};
use hean_core::wire::reply::Reply;
use hean_core::wire::{parse_binance, parse_bybit, Frame, Market};
use hean_core::{Code, Side};

fn private<'a>(frame: Frame<'a>) -> Private<'a> {
    let Frame::Private(private) = frame else { panic!("{frame:?}") };
    *private
}

fn binance(text: &str) -> Private<'_> {
    private(parse_binance(text.as_bytes()).unwrap())
}

fn bybit(text: &str) -> Private<'_> {
    private(parse_bybit(text.as_bytes()).unwrap())
}

fn one_order(private: Private<'_>) -> (OrderUpdate<'_>, Vec<Execution<'_>>) {
    let Private::Orders { mut orders, executions } = private else { panic!("{private:?}") };
    assert_eq!(orders.len(), 1);
    (orders.remove(0), executions)
}

fn reply(frame: Frame<'_>) -> Reply<'_> {
    let Frame::Reply(reply) = frame else { panic!("{frame:?}") };
    *reply
}

const BYBIT_ORDER: &str = r#"{"topic":"order.linear","id":"x","creationTime":1700000000009,"data":[{
    "category":"linear","symbol":"BTCUSDT","orderId":"9aac161b","orderLinkId":"hn-1","side":"Buy",
    "orderType":"Limit","stopOrderType":"","timeInForce":"PostOnly","orderStatus":"Cancelled",
    "cancelType":"UNKNOWN","rejectReason":"EC_PostOnlyWillTakeLiquidity","price":"60000.10",
    "triggerPrice":"","triggerDirection":0,"qty":"0.0100","cumExecQty":"0","cumExecValue":"0",
    "avgPrice":"","reduceOnly":false,"positionIdx":1,"createdTime":"1700000000001",
    "updatedTime":"1700000000005"}]}"#;

#[test]
fn a_bybit_order_has_heans_words_and_exact_texts() {
    let (order, executions) = one_order(bybit(BYBIT_ORDER));
    assert!(executions.is_empty());
    assert_eq!((order.market, order.side), (Some(Market::Linear), Some(Side::Buy)));
    assert_eq!(order.kind, Some(OrderType::Limit));
    assert_eq!(order.time_in_force, Some(TimeInForce::PostOnly));
    assert_eq!((order.status, order.venue_status.as_ref()), (Some(State::Cancelled), "Cancelled"));
    assert_eq!(order.reason, "EC_PostOnlyWillTakeLiquidity");
    assert_eq!(order.position_side, Some(Leg::Long));
    assert_eq!(order.price.unwrap().text(), "60000.10");
    assert_eq!((order.quantity.text(), order.filled.unwrap().text()), ("0.0100", "0"));
    assert_eq!((order.trigger_price, order.average), (None, None));
    assert_eq!(
        (order.client_order_id.as_ref(), order.exchange_order_id.as_ref()),
        ("hn-1", "9aac161b")
    );
    assert_eq!(order.ts_ns, 1_700_000_000_005_000_000);
    assert!(order.unknown.0.is_empty());
}

#[test]
fn words_that_nobody_knows_are_named_and_never_become_a_default() {
    let strange = BYBIT_ORDER
        .replace(r#""Cancelled""#, r#""Dreaming""#)
        .replace(r#""Buy""#, r#""Borrow""#)
        .replace("PostOnly\"", "Forever\"")
        .replace(r#""positionIdx":1"#, r#""positionIdx":7"#);
    let (order, _) = one_order(bybit(&strange));
    assert_eq!((order.status, order.side, order.time_in_force), (None, None, None));
    assert_eq!(order.position_side, None);
    assert_eq!(order.venue_status, "Dreaming");
    let mut unknown = order.unknown.0;
    unknown.sort();
    assert_eq!(
        unknown,
        ["position_side=7", "side=Borrow", "status=Dreaming", "time_in_force=Forever"]
    );
    let trailing =
        BYBIT_ORDER.replace(r#""stopOrderType":"""#, r#""stopOrderType":"TrailingStop""#);
    let (order, _) = one_order(bybit(&trailing));
    assert_eq!((order.kind, order.unknown.0.len()), (None, 0), "known, and HEAN has no such type");
    assert_eq!(order.venue_type, "TrailingStop");
}

#[test]
fn a_conditional_bybit_order_is_a_stop_when_it_waits_for_a_price_against_it() {
    for (side, direction, kind) in [
        ("Buy", 1, OrderType::Stop),
        ("Buy", 2, OrderType::TakeProfit),
        ("Sell", 1, OrderType::TakeProfit),
        ("Sell", 2, OrderType::Stop),
    ] {
        let text = BYBIT_ORDER
            .replace(r#""Buy""#, &format!("\"{side}\""))
            .replace(r#""Limit""#, r#""Market""#)
            .replace(r#""triggerPrice":"""#, r#""triggerPrice":"61000""#)
            .replace(r#""triggerDirection":0"#, &format!("\"triggerDirection\":{direction}"))
            .replace(r#""stopOrderType":"""#, r#""stopOrderType":"Stop""#);
        let (order, _) = one_order(bybit(&text));
        assert_eq!((order.kind, order.trigger_price.unwrap().text()), (Some(kind), "61000"));
    }
}

#[test]
fn bybit_executions_positions_and_wallets() {
    let text = r#"{"topic":"execution","id":"x","creationTime":1,"data":[{"category":"spot",
        "symbol":"BTCUSDT","orderId":"1","orderLinkId":"","execId":"2290000000068683805",
        "side":"Sell","execType":"Trade","execPrice":"1.5","execQty":"2","execFee":"-0.003",
        "feeCurrency":"USDT","isMaker":true,"execTime":"1700000000001","seq":7}]}"#;
    let Private::Executions(all) = bybit(text) else { panic!("{text}") };
    let execution = all.first().unwrap();
    assert_eq!(execution.fee.unwrap().text(), "-0.003", "a rebate is negative");
    assert_eq!((execution.cause, execution.is_maker), (Some(Cause::Trade), Some(true)));
    assert_eq!((execution.sequence, execution.is_early), (Some(7), false));
    assert_eq!(execution.fee_rate, None, "it was not said");
    let text = r#"{"topic":"execution","id":"x","creationTime":1,"data":[{"category":"linear",
        "symbol":"BTCUSDT","orderId":"9","orderLinkId":"","execId":"8","side":"Sell",
        "execType":"Funding","execPrice":"60000.1","execQty":"2","execFee":"-1.200002",
        "feeRate":"0.00001","isMaker":false,"execTime":"1700000000001"}]}"#;
    let Private::Executions(all) = bybit(text) else { panic!("{text}") };
    let payment = all.first().unwrap();
    assert_eq!(
        (payment.cause, payment.fee_rate.unwrap().text()),
        (Some(Cause::Funding), "0.00001")
    );
    let position = r#"{"topic":"position","id":"x","creationTime":1700000000009,"data":[{
        "positionIdx":2,"symbol":"BTCUSDT","side":"Sell","size":"0.5","entryPrice":"100",
        "liqPrice":"","positionStatus":"Liq","category":"linear","seq":-1}]}"#;
    let Private::Positions(update) = bybit(position) else { panic!("{position}") };
    let position = update.positions.first().unwrap();
    assert_eq!((position.quantity.as_ref(), position.position_side), ("-0.5", Some(Leg::Short)));
    assert_eq!(position.venue_status.as_deref(), Some("Liq"));
    assert_eq!((position.ts_ns, position.sequence), (1_700_000_000_009_000_000, None));
    let wallet = r#"{"topic":"wallet","id":"x","creationTime":5,"data":[{"totalEquity":"10.5",
        "totalAvailableBalance":"","coin":[{"coin":"USDT","walletBalance":"10","equity":"10.5",
        "locked":"1"}]}]}"#;
    let Private::Balances(update) = bybit(wallet) else { panic!("{wallet}") };
    let totals = update.totals.unwrap();
    assert_eq!((totals.equity.unwrap().text(), totals.available), ("10.5", None));
    assert_eq!(update.balances.first().unwrap().total.as_deref(), Some("10"));
}

const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1700000000002,
    "s":"ETHBTC","c":"hn-2","S":"BUY","o":"LIMIT_MAKER","f":"GTC","q":"1.00000000","p":"0.1",
    "P":"0.0","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":9007199254740993,
    "l":"0.25","z":"0.25","L":"0.1","n":"0.0001","N":"BNB","T":1700000000001,"t":77,"I":8641984,
    "m":true,"O":1700000000000,"Z":"0.025"}}"#;

#[test]
fn a_spot_report_of_a_fill_is_an_order_and_an_execution() {
    let (order, executions) = one_order(binance(REPORT));
    assert_eq!((order.market, order.kind), (Some(Market::Spot), Some(OrderType::Limit)));
    assert_eq!(order.time_in_force, Some(TimeInForce::PostOnly), "a maker-only order");
    assert_eq!((order.status, order.sequence), (Some(State::Partial), Some(8_641_984)));
    assert_eq!(order.exchange_order_id, "9007199254740993", "beyond what a float can hold");
    assert_eq!(order.filled_value.unwrap().text(), "0.025");
    let [execution] = executions.as_slice() else { panic!("one execution") };
    assert_eq!((execution.exec_id.as_ref(), execution.quantity.text()), ("77", "0.25"));
    assert_eq!(
        (execution.fee.unwrap().text(), execution.fee_asset.as_deref()),
        ("0.0001", Some("BNB"))
    );
    let cancel = REPORT
        .replace(r#""x":"TRADE","X":"PARTIALLY_FILLED""#, r#""x":"CANCELED","X":"CANCELED""#)
        .replace(r#""c":"hn-2""#, r#""c":"web_1""#)
        .replace(r#""C":"""#, r#""C":"hn-2""#);
    let (order, executions) = one_order(binance(&cancel));
    assert_eq!((order.client_order_id.as_ref(), executions.len()), ("hn-2", 0));
    assert_eq!(order.status, Some(State::Cancelled));
}

#[test]
fn usdm_types_are_read_by_what_the_order_was_sent_as() {
    let text = r#"{"e":"ORDER_TRADE_UPDATE","E":2,"T":1,"o":{"s":"BTCUSDT","c":"autoclose-77",
        "S":"SELL","o":"MARKET","ot":"STOP_MARKET","f":"GTC","q":"1","p":"0","ap":"100.5",
        "sp":"101","x":"CALCULATED","X":"FILLED","i":8,"l":"1","z":"1","L":"100.5","N":"USDT",
        "n":"0.05","T":1700000000001,"t":9,"m":false,"R":true,"ps":"BOTH","rp":"-3","er":"0"}}"#;
    let (order, executions) = one_order(binance(text));
    assert_eq!((order.kind, order.market), (Some(OrderType::Stop), Some(Market::Linear)));
    assert_eq!((order.reduce_only, order.reason.as_ref()), (Some(true), ""));
    assert_eq!(order.average.unwrap().text(), "100.5");
    assert_eq!(executions.first().unwrap().cause, Some(Cause::Liquidation));
    assert_eq!(executions.first().unwrap().realized_pnl.unwrap().text(), "-3");
}

#[test]
fn spot_totals_are_exact_sums() {
    let text = r#"{"e":"outboundAccountPosition","E":2,"u":1,"B":[{"a":"ETH","f":"0.10000000",
        "l":"0.20000000"},{"a":"X","f":"99999999999999999999999999999999999999","l":"1"}]}"#;
    let Private::Balances(update) = binance(text) else { panic!("{text}") };
    let totals: Vec<_> = update.balances.iter().map(|one| one.total.as_deref()).collect();
    assert_eq!(totals, [Some("0.3"), None]);
}

#[test]
fn replies_of_both_venues_carry_id_code_and_limits() {
    let text = r#"{"reqId":"7","retCode":110007,"retMsg":"ab not enough","op":"order.create",
        "data":{},"retExtInfo":{"list":[]},"header":{"X-Bapi-Limit":"10",
        "X-Bapi-Limit-Status":"4","X-Bapi-Limit-Reset-Timestamp":"1700000000001"},"connId":"c"}"#;
    let refused = reply(parse_bybit(text.as_bytes()).unwrap());
    assert_eq!((refused.is_ok, refused.code), (false, Some(110_007)));
    assert_eq!((refused.id.as_deref(), refused.extra), (Some("7"), Some(r#"{"list":[]}"#)));
    assert_eq!((refused.limits[0].limit, refused.limits[0].used), (10, 6));
    let text = r#"{"id":5,"status":400,"error":{"code":-2010,"msg":"no money"},"rateLimits":[
        {"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":50,"count":3}]}"#;
    let refused = reply(parse_binance(text.as_bytes()).unwrap());
    assert_eq!((refused.id.as_deref(), refused.status), (Some("5"), Some(400)));
    assert_eq!(
        (refused.is_ok, refused.code, refused.message.as_ref()),
        (false, Some(-2010), "no money")
    );
    assert_eq!((refused.limits[0].name.as_ref(), refused.limits[0].window_s), ("ORDERS", 10));
    let text = r#"{"id":"a","status":200,"result":{"orderId":18446744073709551616,
        "origClientOrderId":"hn-3","clientOrderId":"cancel-1"}}"#;
    let done = reply(parse_binance(text.as_bytes()).unwrap());
    assert!(done.is_ok);
    assert_eq!(done.exchange_order_id.as_deref(), Some("18446744073709551616"));
    assert_eq!(done.client_order_id.as_deref(), Some("hn-3"));
    for (text, is_ok) in [
        (r#"{"result":null,"id":null}"#, true),
        (r#"{"code":200,"msg":"done"}"#, true),
        (r#"{"code":0,"msg":"Unknown property","id":1}"#, false),
        (r#"{"id":null,"status":403,"error":{"code":-1,"msg":"x"}}"#, false),
    ] {
        assert_eq!(reply(parse_binance(text.as_bytes()).unwrap()).is_ok, is_ok, "{text}");
    }
}

#[test]
fn a_private_frame_with_a_bad_number_is_refused() {
    for bad in [r#""NaN""#, r#""1e400""#, "1.5", "[]", "true"] {
        let text = BYBIT_ORDER.replace(r#""0.0100""#, bad);
        assert_eq!(parse_bybit(text.as_bytes()).unwrap_err().code, Code::FrameInvalid, "{bad}");
        let text = REPORT.replace(r#""1.00000000""#, bad);
        assert_eq!(parse_binance(text.as_bytes()).unwrap_err().code, Code::FrameInvalid, "{bad}");
    }
}
