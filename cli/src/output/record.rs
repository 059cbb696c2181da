//! Records: an object in JSON, a line in text. Each field is written once for both.

use super::{Colour, Form, Output};

impl Output {
    /// Begins an object in JSON, as the value of `key` or an element of an array, or a line in
    /// text.
    pub fn begin_record(&mut self, key: &str) {
        if self.style.json {
            self.begin_object(key);
        }
    }

    /// Ends it.
    pub fn end_record(&mut self) {
        if self.style.json {
            self.end_object();
        } else {
            self.end_line();
        }
    }

    /// Ends one whose line in text has already ended.
    pub fn end_group(&mut self) {
        if self.style.json {
            self.end_object();
        }
    }

    /// A JSON array of records, the outermost or the value of `key`; nothing in text.
    pub fn begin_list(&mut self, key: &str) {
        if self.style.json {
            self.begin_array(key);
        }
    }

    /// Ends it.
    pub fn end_list(&mut self) {
        if self.style.json {
            self.end_array();
        }
    }

    /// Begins a record that has a title in text.
    pub fn begin_titled(&mut self, key: &str, title: &str) {
        self.begin_record(key);
        self.title(title);
    }

    /// In text, a title; nothing in JSON.
    pub fn title(&mut self, title: &str) {
        if !self.style.json {
            self.text(title);
        }
    }

    /// What precedes a value: its key in JSON, this text otherwise.
    pub fn label(&mut self, key: &str, before: &str) {
        if self.style.json {
            self.key(key);
        } else {
            self.text(before);
        }
    }

    /// What precedes the value of a field.
    pub fn begin_field(&mut self, name: &str) {
        if self.style.json {
            return self.key(name);
        }
        self.begin_named(name);
    }

    fn begin_named(&mut self, name: &str) {
        let Form {
            before, between, ..
        } = self.form;
        self.text.field(before, name.as_bytes(), between);
    }

    /// What follows it.
    pub fn end_field(&mut self) {
        if !self.style.json {
            self.end_named();
        }
    }

    #[inline]
    fn end_named(&mut self) {
        if self.form.after != 0 {
            self.byte(self.form.after);
        }
    }

    /// The quotes in JSON, before and after a string.
    pub fn quote(&mut self) {
        if self.style.json {
            self.byte(b'"');
        }
    }

    /// The value of a token: a string without leading zeros in JSON, eight digits in text.
    pub fn token(&mut self, token: u32) {
        let json = self.style.json;
        if json {
            self.text("\"0x");
        }
        self.hexadecimal(token.into(), if json { 1 } else { 8 });
        self.quote();
    }

    /// A number.
    pub fn named_number(&mut self, name: &str, value: u64) {
        if self.style.json {
            return self.json_number(name, value);
        }
        self.begin_named(name);
        self.number(value);
        self.end_named();
    }

    /// A number, if there is one.
    pub fn named_some(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.named_number(name, value);
        }
    }

    /// A string.
    pub fn named_string(&mut self, name: &str, value: &[u8]) {
        if self.style.json {
            return self.json_string(name, value);
        }
        self.begin_field(name);
        self.bytes(value);
        self.end_field();
    }

    /// A property that is true: a member that is true in JSON, a word in text.
    pub fn named(&mut self, name: &str) {
        if self.style.json {
            return self.json_bool(name, true);
        }
        if let Some(before) = self.form.before {
            self.byte(before);
        }
        self.text(name);
        self.end_named();
    }

    /// The name of an interface; nothing if it is empty.
    pub fn named_interface(&mut self, name: &[u8]) {
        if name.is_empty() {
        } else if self.style.json {
            self.json_string("dev", name);
        } else {
            self.begin_field("dev");
            self.begin_colour(Colour::Interface);
            self.bytes(name);
            // iproute2 colours the blank too.
            self.end_field();
            self.end_colour();
        }
    }
}
