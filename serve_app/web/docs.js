/** The description of the interface, by Swagger UI. */
SwaggerUIBundle({
  url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null,
});
