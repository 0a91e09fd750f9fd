// SPDX-License-Identifier: Apache-2.0
//! Any bytes as a recorded file, cut in two: columns of one length each, or an error.

#![no_main]

use hean_core::wire::CaptureBuilder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut builder = CaptureBuilder::new(None, None);
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    builder.feed(head);
    builder.feed(tail);
    builder.end_file();
    if let Ok(capture) = builder.finish() {
        let depth = capture.depth;
        assert_eq!(depth.ts_ns.len(), depth.price.len());
        assert_eq!(depth.ts_ns.len(), depth.quantity.len());
        assert!(depth.ts_ns.is_sorted() && capture.trades.ts_ns.is_sorted());
    }
});
